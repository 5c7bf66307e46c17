/** What the environment and the command line say of the settings, before anything of it is checked. */
import type { z } from 'zod';
import { settings } from './settings.ts';

export interface GivenSettings {
  /** By variable. What is empty is not given. */
  readonly given: { readonly [name: string]: string };
  /** How a message names each setting: by the flag, where that was given. */
  readonly labels: { readonly [name: string]: string };
}

export function givenSettings({
  env,
  flags = {},
}: {
  readonly env: { readonly [name: string]: string | undefined };
  readonly flags?: { readonly [flag: string]: string | undefined };
}): GivenSettings {
  const given: { [name: string]: string } = {};
  const labels: { [name: string]: string } = {};
  for (const setting of settings) {
    const isFlag = Boolean(flags[setting.flag]);
    const value = isFlag ? flags[setting.flag] : env[setting.env];
    if (value) given[setting.env] = value;
    labels[setting.env] = isFlag ? `--${setting.flag} (${setting.env})` : setting.env;
  }
  return { given, labels };
}

/** A sentence for each wrong value, without the values of secrets. */
export function problemsOf(error: z.ZodError | undefined, { given, labels }: GivenSettings): string[] {
  return (error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    const isShown = !settings.find((setting) => setting.env === name)?.isSecret;
    return `${labels[name]} ${issue.message}${isShown ? `; it is ${JSON.stringify(given[name])}` : ''}`;
  });
}

/** The settings as flags of a command. */
import { Command, Option } from 'commander';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import { settings } from '../config/settings.ts';

/** A command that has every setting as a flag; `action` gets the configuration that they and the environment make. */
export function settingsCommand(name: string, description: string, action: (config: Config) => Promise<void>): Command {
  const command = new Command(name).description(description);
  for (const { flag, env, description: purpose, default: preset, isSecret } of settings) {
    const notes = [
      env,
      ...(preset === undefined ? [] : [`default ${preset}`]),
      ...(isSecret ? ['others on this machine can see flags: prefer the variable'] : []),
    ];
    command.addOption(new Option(`--${flag} <value>`, `${purpose} (${notes.join('; ')})`));
  }
  return command.allowExcessArguments(false).action(async () => {
    const flags: { [flag: string]: string } = {};
    for (const option of command.options) {
      const value: unknown = command.getOptionValue(option.attributeName());
      if (typeof value === 'string') flags[option.name()] = value;
    }
    await action(readConfig({ env: process.env, flags }));
  });
}

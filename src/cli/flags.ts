/** The settings as flags of a command. */
import { Command, Option } from 'commander';
import type { Config } from '../config/config.ts';
import type { LoadedAgents } from '../config/load-agent-config.ts';
import { readAllSettings } from '../config/read-all-settings.ts';
import { type LogLevel, type Reader, settings } from '../config/settings.ts';
import { unknownNames } from '../config/unknown-names.ts';

type RoleName = 'dev' | 'serve' | 'gateway' | 'worker';
/** `doctor` looks at what any role of these settings would need. */
type CommandName = RoleName | 'doctor';

const readersOf: { readonly [name in CommandName]: readonly Reader[] } = {
  dev: ['dev', 'gateway', 'worker', 'both'],
  serve: ['gateway', 'worker', 'both'],
  gateway: ['gateway'],
  worker: ['worker', 'worker alone'],
  doctor: ['gateway', 'worker', 'both'],
};

/** How much is logged where nothing is said. */
export const defaultLogLevel: { readonly [name in RoleName]: LogLevel } = {
  dev: 'warn',
  serve: 'info',
  gateway: 'info',
  worker: 'info',
};

/**
 * A command that has every setting as a flag; `action` gets the configuration that they and the environment make, and the agents
 * of `turnkeep.config.ts`. Its help
 * lists what it reads; the others are accepted, so that one environment serves all roles.
 */
export function settingsCommand(
  name: CommandName,
  description: string,
  action: (config: Config, agents: LoadedAgents | undefined) => Promise<void>,
): Command {
  const command = new Command(name).description(description);
  for (const { flag, env, description: purpose, default: fixed, isSecret, readBy } of settings) {
    const preset = env === 'LOG_LEVEL' && name !== 'doctor' ? defaultLogLevel[name] : fixed;
    const isRead = readBy?.some((reader) => readersOf[name].includes(reader)) ?? true;
    const notes = [
      env,
      ...(preset === undefined ? [] : [`default ${preset}`]),
      ...(isSecret ? ['others on this machine can see flags: prefer the variable'] : []),
    ];
    command.addOption(new Option(`--${flag} <value>`, `${purpose} (${notes.join('; ')})`).hideHelp(!isRead));
  }
  return command.allowExcessArguments(false).action(async () => {
    const flags: { [flag: string]: string } = {};
    for (const option of command.options) {
      const value: unknown = command.getOptionValue(option.attributeName());
      if (typeof value !== 'string') continue;
      flags[option.name()] = value;
      if (option.hidden) process.stderr.write(`turnkeep: --${option.name()} is not read by turnkeep ${name}, and is ignored\n`);
    }
    for (const warning of unknownNames(process.env)) process.stderr.write(`turnkeep: ${warning}\n`);
    const { config, agents } = await readAllSettings({ env: process.env, flags });
    await action(config, agents);
  });
}

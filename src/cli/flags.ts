/** The settings as flags of a command, and back. */
import { Command, Option } from 'commander';
import { readConfig, settings, type Config } from '../config/config.ts';

/** A command that takes every setting as a flag and gets the whole configuration. */
export function settingsCommand(name: string, description: string, action: (config: Config) => Promise<void>): Command {
  const command = new Command(name).description(description);
  for (const { flag, env, description: what, default: preset, isSecret } of settings) {
    const notes = [
      env,
      ...(preset === undefined ? [] : [`default ${preset}`]),
      ...(isSecret ? ['others on this machine can see flags: prefer the variable'] : []),
    ];
    command.addOption(new Option(`--${flag} <value>`, `${what} (${notes.join('; ')})`));
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

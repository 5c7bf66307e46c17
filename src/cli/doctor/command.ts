/** The flags and the help of `turnkeep doctor`. */
import { type Command, Option } from 'commander';
import type { Config } from '../../config/config.ts';
import type { LoadedAgents } from '../../config/load-agent-config.ts';
import { settingsCommand } from '../flags.ts';
import type { DoctorFlags } from './run.ts';

export function doctorCommand(action: (config: Config, loaded: LoadedAgents | undefined, flags: DoctorFlags) => Promise<void>): Command {
  const description = 'looks at everything that these settings need, changes nothing, and says how to mend what is wrong';
  const command: Command = settingsCommand('doctor', description, (config, loaded) => action(config, loaded, command.opts<DoctorFlags>()));
  return command
    .addOption(new Option('--json', 'one JSON object: {faults, warnings, findings: [{check, status, seen, mend}]}'))
    .addHelpText(
      'after',
      `
With the environment of the processes that it is about; what is wrong, for a program:
  turnkeep doctor
  turnkeep doctor --json | jq -r '.findings[] | select(.status == "fault") | .mend'

Temporal, its namespace and workers, the database, the providers (by the list of their models, which costs nothing), clocks, versions.
Exit codes: 0 no faults, 1 faults, 2 settings that cannot be used.`,
    );
}

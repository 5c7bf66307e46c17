/** The `turnkeep` command. Exit codes: 0 done or drained, 1 the answer is no, 2 wrong use or it could not be done, 130 and 143 ended by a second signal. */
import { Command, CommanderError } from 'commander';
import { ConfigError, readVersion } from '../config/config.ts';
import { GatewayError } from './gateway/target.ts';
import type { BackupFlags } from './backup.ts';
import type { MigrateFlags } from './migrate.ts';
import { forkCommand } from './branches/command.ts';
import { chatCommand } from './chat/command.ts';
import type { CodecServerFlags } from './codec-server.ts';
import { debugCommand } from './debug/command.ts';
import { doctorCommand } from './doctor/command.ts';
import { diffCommand } from './diff/command.ts';
import { DataDirTakenError } from './dev-server/data-dir.ts';
import { NoTemporalProgramError } from './dev-server/find.ts';
import { DevServerError } from './dev-server/launch.ts';
import { exportCommand } from './export/command.ts';
import { settingsCommand } from './flags.ts';
import { keysCommand } from './keys/command.ts';
import { sessionsCommand, statsCommand, turnsCommand } from './lists/command.ts';
import { replayCommand } from './replay/command.ts';
import { rerunCommand } from './rerun/command.ts';
import { showCommand } from './show/command.ts';
import { StartError } from './start-error.ts';

const ofOneRole = (role: string): string => `TEMPORAL_ADDRESS=temporal:7233 OPENAI_API_KEY=… turnkeep ${role} --data-dir /var/lib/turnkeep`;

// Each command is loaded when it is run: Temporal's SDK takes half a second that --help need not wait for.
const program = new Command('turnkeep')
  .description('Keeps agent turns alive: a self-hosted, durable OpenAI Responses API on Temporal.')
  .version(readVersion())
  .addCommand(
    settingsCommand(
      'dev',
      "all in one: Temporal's dev server (unless TEMPORAL_ADDRESS is set), worker and gateway",
      async (config, agents) => (await import('./dev.ts')).runDev(config, agents),
    ).addHelpText('after', '\nWithout a key a demo model answers:\n  OPENAI_API_KEY=… TURNKEEP_MODEL=gpt-5 turnkeep dev --port 8484'),
  )
  .addCommand(
    settingsCommand('serve', 'gateway and worker in one process: what a replica runs', async (config, agents) =>
      (await import('./single-role.ts')).runServe(config, agents),
    ).addHelpText(
      'after',
      `
Any number of them share one Temporal namespace and one database:
  TEMPORAL_ADDRESS=temporal:7233 OPENAI_API_KEY=… turnkeep serve --data-dir /var/lib/turnkeep --port 8484
  TEMPORAL_ADDRESS=temporal:7233 OPENAI_API_KEY=… turnkeep serve --data-dir /var/lib/turnkeep --port 8485`,
    ),
  )
  .addCommand(
    settingsCommand('gateway', 'the HTTP API alone', async (config, agents) =>
      (await import('./single-role.ts')).runGateway(config, agents),
    ).addHelpText('after', `\n  ${ofOneRole('gateway')} --port 8484`),
  )
  .addCommand(
    settingsCommand('worker', 'runs turns, without the HTTP API', async (config, agents) =>
      (await import('./single-role.ts')).runWorker(config, agents),
    ).addHelpText('after', `\n  ${ofOneRole('worker')}`),
  )
  .addCommand(
    chatCommand(async (flags) => {
      process.exitCode = await (await import('./chat.ts')).runChat(flags);
    }),
  )
  .addCommand(turnsCommand(async (flags) => (await import('./lists/run.ts')).listTurns(flags)))
  .addCommand(sessionsCommand(async (flags) => (await import('./lists/run.ts')).listSessions(flags)))
  .addCommand(showCommand(async (turn, flags) => (await import('./show/run.ts')).runShow(turn, flags)))
  .addCommand(diffCommand(async (left, right, flags) => (await import('./diff/run.ts')).runDiff(left, right, flags)))
  .addCommand(forkCommand(async (turn, flags) => (await import('./branches/fork.ts')).runFork(turn, flags)))
  .addCommand(statsCommand(async (flags) => (await import('./lists/stats.ts')).printStats(flags)))
  .addCommand(exportCommand(async (ids, flags) => (await import('./export/run.ts')).exportTurns(ids, flags)))
  .addCommand(replayCommand(async (targets, flags) => (await import('./replay/run.ts')).replayTurns(targets, flags)))
  .addCommand(
    rerunCommand({
      offline: async (targets, flags) => (await import('./rerun/run.ts')).rerunTurns(targets, flags),
      live: async (turn, flags) => (await import('./branches/rerun-live.ts')).runLive(turn, flags),
    }),
  )
  .addCommand(debugCommand(async (target, flags) => (await import('./debug/run.ts')).debugTurn(target, flags)))
  .addCommand(keysCommand(async () => (await import('./keys/run.ts')).runKeys))
  .addCommand(
    new Command('codec-server')
      .description("decrypts for Temporal's UI and command line what TURNKEEP_CODEC_KEYS encrypted")
      .option('--host <value>', 'address to listen on (TURNKEEP_HOST; default 127.0.0.1)')
      .option('--port <value>', 'port to listen on; 0 picks a free one and prints it (TURNKEEP_PORT; default 8485)')
      .option('--cors-origins <value>', "origins of Temporal's UI, comma separated (TURNKEEP_CORS_ORIGINS)")
      .allowExcessArguments(false)
      .addHelpText(
        'after',
        `
TURNKEEP_CODEC_KEYS has the keys of the workers, TURNKEEP_CODEC_SERVER_KEYS (name:secret,…) who may call:
  turnkeep codec-server --cors-origins http://127.0.0.1:8233
  temporal workflow show -w turn/resp_… --codec-endpoint http://127.0.0.1:8485 --codec-auth "Bearer SECRET"

How the UI is told of it: docs/operations.md.`,
      )
      .action(async (flags: CodecServerFlags) => (await import('./codec-server.ts')).runCodecServer(flags)),
  )
  .addCommand(doctorCommand(async (config, loaded, flags) => (await import('./doctor/run.ts')).runDoctor(config, loaded, flags)))
  .addCommand(
    new Command('migrate')
      .description('brings the tables of the database to this version, as a start does')
      .option('--check', 'changes nothing, and tells by the exit code')
      .option('--data-dir <path>', 'the data dir (TURNKEEP_DATA_DIR; default .turnkeep)')
      .option('--database-url <url>', 'where the database is not in the data dir (DATABASE_URL)')
      .option('--json', 'one JSON object')
      .allowExcessArguments(false)
      .addHelpText(
        'after',
        `
Before the processes of a new version start; and whether that is still to be done:
  turnkeep migrate
  turnkeep migrate --check || echo later

Exit codes: 0 done, or nothing to do; 1 with --check: the tables are not those of this version; 2 it could not be done.`,
      )
      .action(async (flags: MigrateFlags) => (await import('./migrate.ts')).runMigrate(flags)),
  )
  .addCommand(
    new Command('backup')
      .description('copies the databases into a directory, while all goes on')
      .argument('<directory>', 'where the copies go; it is made where it is not there')
      .option('--data-dir <path>', 'the data dir (TURNKEEP_DATA_DIR; default .turnkeep)')
      .option('--database-url <url>', 'sqlite:PATH or postgres://…, where the database is not in the data dir (DATABASE_URL)')
      .option('--json', 'the files as one JSON object')
      .allowExcessArguments(false)
      .addHelpText('after', '\n  turnkeep backup /backups/$(date +%F)\n\nHow to restore: docs/operations.md.')
      .action(async (folder: string, flags: BackupFlags) => (await import('./backup.ts')).runBackup(folder, flags)),
  )
  .addHelpText(
    'after',
    '\nEvery setting is an environment variable and a flag of the same name: see `turnkeep dev --help`.\nExit codes: 0 done, 1 the answer is no, 2 wrong use or it could not be done.',
  );
for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)])
  command.exitOverride().showHelpAfterError('(turnkeep --help lists the commands, turnkeep COMMAND --help their flags)');

/** Wrong use, or it could not be done. 1 says that it was done and the answer is no, such as a turn that failed. */
const notDone = 2;

/** Their messages are written for the terminal, some of several lines. */
const ownErrors = [GatewayError, DataDirTakenError, DevServerError, NoTemporalProgramError, StartError];

/** @returns the exit code */
export async function runCommand(): Promise<number> {
  try {
    const [, , first = '', ...rest] = process.argv;
    const isCommand = program.commands.some((command) => command.name() === first);
    // Commander would show the help of the program, as if there were such a command.
    if (/^[a-z]/.test(first) && first !== 'help' && !isCommand && rest.some((flag) => flag === '--help' || flag === '-h'))
      program.error(`error: unknown command '${first}'`);
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has printed it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : notDone;
    if (error instanceof ConfigError) {
      process.stderr.write(`turnkeep: the settings cannot be used:\n${error.problems.map((problem) => `  ${problem}\n`).join('')}`);
      return notDone;
    }
    // Stopped by a signal while it started.
    if (error instanceof Error && error.name === 'AbortError') return 0;
    process.stderr.write(`turnkeep: ${reasonOf(error)}\n`);
    return notDone;
  }
}

/** Of an error that is not ours, one line: its stack says nothing to whoever runs a command, and is in the log at level debug. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (ownErrors.some((own) => error instanceof own)) return error.message;
  // Temporal's SDK appends the whole answer of the server.
  return (error.message || error.name).replace(/: Status \{.*/s, '').replaceAll(/\s*\n\s*/g, ' ');
}

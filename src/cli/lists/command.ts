/** The flags and the help of `turnkeep turns`, `turnkeep sessions` and `turnkeep stats`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { addGatewayFlags, type GatewayFlags } from '../gateway/flags.ts';

export interface ListFlags extends GatewayFlags {
  readonly limit: number;
  readonly after?: string;
  readonly json?: boolean;
}

export interface SessionsFlags extends ListFlags {
  readonly since?: string;
  readonly until?: string;
}

export interface TurnFilterFlags {
  readonly status?: string;
  readonly code?: string;
  readonly session?: string;
  readonly agent?: string;
  readonly model?: string;
  readonly since?: string;
  readonly until?: string;
}

export interface TurnsFlags extends ListFlags, TurnFilterFlags {}

export interface StatsFlags extends GatewayFlags, TurnFilterFlags {
  readonly json?: boolean;
}

export function turnsCommand(action: (flags: TurnsFlags) => Promise<void>): Command {
  return addTurnFilters(listCommand('turns', 'what turns there are, newest first'))
    .addHelpText(
      'after',
      `
What failed today, and why; and the ids alone, for a program:
  turnkeep turns --status failed --since 1d
  turnkeep turns --status failed --since 1d --limit 1000 --json | jq -r .id

turnkeep show ID tells what happened in one turn, attempt by attempt.
Exit codes: 0 done, 2 no gateway, or asked wrongly.`,
    )
    .action(async (flags: TurnsFlags) => action(flags));
}

export function sessionsCommand(action: (flags: SessionsFlags) => Promise<void>): Command {
  return addTimes(listCommand('sessions', 'what sessions (conversations of the API) there are, the last active first'))
    .addHelpText(
      'after',
      `
  turnkeep sessions --limit 5
  turnkeep sessions --since 1d        those that were used in a day
  turnkeep chat --session conv_…      goes on in one

Exit codes: 0 done, 2 no gateway, or asked wrongly.`,
    )
    .action(async (flags: SessionsFlags) => action(flags));
}

export function statsCommand(action: (flags: StatsFlags) => Promise<void>): Command {
  const description = 'how turns ended, how long the first token took, what retries saved, and what was spent and lost';
  return addTurnFilters(addGatewayFlags(new Command('stats').description(description)))
    .addOption(new Option('--json', 'one JSON object, as the API gives it'))
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `
Today; what one agent has cost in a month; and a number alone, for a program:
  turnkeep stats --since 1d
  turnkeep stats --since 30d --agent support
  turnkeep stats --since 1h --json | jq .lost.cost_usd

Turns that were deleted, or were not to be stored, are not counted. Money is, where the configuration has prices.
Exit codes: 0 done, 2 no gateway, or asked wrongly.`,
    )
    .action(async (flags: StatsFlags) => action(flags));
}

export function addTurnFilters(command: Command): Command {
  return addTimes(command)
    .addOption(new Option('--status <status>', 'queued, in_progress, completed, incomplete, failed or cancelled'))
    .addOption(new Option('--code <code>', 'the error of a failed turn, such as provider_rejected'))
    .addOption(new Option('-s, --session <id>', 'those of this session'))
    .addOption(new Option('-a, --agent <name>', 'those that asked this agent').conflicts('model'))
    .addOption(new Option('-m, --model <name>', 'those that asked this model'));
}

function addTimes(command: Command): Command {
  const moment = 'a date, or how long ago: 2026-01-31, 2026-01-31T12:00:00Z, 30m, 12h, 1d';
  return command.addOption(new Option('--since <when>', moment)).addOption(new Option('--until <when>', moment));
}

function listCommand(name: string, description: string): Command {
  return addGatewayFlags(new Command(name).description(description))
    .addOption(new Option('-n, --limit <number>', 'how many at the most').default(20).argParser(wholeNumber))
    .addOption(new Option('--after <id>', 'goes on behind this one, the last of a list before'))
    .addOption(new Option('--json', 'one JSON object a line, as the API gives it'))
    .allowExcessArguments(false);
}

export function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It has to be a whole number from 1.');
}

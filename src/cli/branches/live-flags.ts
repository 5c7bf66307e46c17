/** The flags of `turnkeep rerun` that go with `--live`: what is asked of the model again, and with what changed. */
import { type Command, Option } from 'commander';
import { StartError } from '../start-error.ts';
import { stepNumber } from './command.ts';

export interface LiveFlags {
  readonly live?: boolean;
  /** 1-based. */
  readonly from?: number;
  /** `instructions=…`, `model=…`, `tools=[…]`, or `instructions=@FILE`. */
  readonly set?: readonly string[];
  readonly edit?: string;
  readonly tools?: 'run' | 'recorded';
}

export function addLiveFlags(command: Command): Command {
  return command
    .addOption(new Option('--live', 'asks the model again, in a new session that shares the past of the turn: that costs'))
    .addOption(new Option('--from <step>', 'with --live: the model call to begin with, from 1').argParser(stepNumber))
    .addOption(
      new Option(
        '--set <key=value>',
        'with --live: another model, instructions, tools, …; @FILE as a value reads it; repeatable',
      ).argParser((change: string, changes: readonly string[] = []) => [...changes, change]),
    )
    .addOption(new Option('--edit <file>', 'with --live: JSON, items in place of those of the turn that have their ids'))
    .addOption(
      new Option('--tools <choice>', 'with --live: recorded answers each call with what it came to in the turn; default run').choices([
        'run',
        'recorded',
      ]),
    );
}

/** @throws {StartError} naming the flags that say nothing without `--live` */
export function refuseLiveFlags({ from, set, edit, tools }: LiveFlags): void {
  const given = Object.entries({ from, set, edit, tools }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`]));
  if (given.length === 0) return;
  throw new StartError(`${given.join(', ')} ${given.length === 1 ? 'goes' : 'go'} with --live only: a recording is run again as it was.`);
}

/** @throws {StartError} where it is not one turn */
export function liveTurn(targets: readonly string[]): string {
  const [turn = '', ...others] = targets;
  if (others.length > 0) throw new StartError(`--live asks one turn again, and ${targets.length} are named.`);
  if (/[/\\]|\.json$/.test(turn)) throw new StartError(`--live needs the id of a turn (resp_…), which the gateway has: ${turn} is a file.`);
  return turn;
}

/** Replays the runs of files, one after the other, on workflow code that is given: what one process of a replay does. */
import { Runtime, Worker } from '@temporalio/worker';
import { historyOfJson } from '../history-json.ts';
import { type Divergence, findDivergence, placesIn } from './divergence.ts';
import { commandEventsOf, readEvent } from './history-commands.ts';
import { readRuns, type StoredRun } from './history-files.ts';
import type { TraceSinks, TracedCommand } from './trace-commands.ts';

/** What became of a run, or of a file that has none. */
export interface ReplayReport {
  /** Of the turn, or of its workflow where it is none of a turn. */
  readonly id: string;
  readonly file: string;
  readonly workflow_id?: string;
  readonly run_id?: string;
  readonly workflow_type?: string;
  readonly outcome: 'same' | 'diverged' | 'not_replayed';
  /** Why it was not replayed. */
  readonly reason?: string;
  /** The code has no workflow of this type: another one may have. */
  readonly is_unknown_type?: true;
  readonly divergence?: Divergence & { readonly message: string };
}

export interface ReplayOptions {
  /** The file with the workflow code. */
  readonly codePath: string;
  /** The code has the interceptor of `trace-commands.ts`: divergences are described. */
  readonly isTraced: boolean;
}

/** For a process that does nothing else: what Temporal's Core says of a divergence is in the report. */
export function silenceRuntime(): void {
  const nothing = (): void => undefined;
  Runtime.install({
    logger: { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing },
    telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
    shutdownSignals: [],
  });
}

/** @param files as they come; a report, or several, for each */
export async function* replayFiles(files: AsyncIterable<string>, { codePath, isTraced }: ReplayOptions): AsyncGenerator<ReplayReport[]> {
  let traced: TracedCommand[] = [];
  const sinks: { [Sink in keyof TraceSinks]: object } = {
    turnkeepTrace: { command: { fn: (_info: unknown, command: TracedCommand) => void traced.push(command), callDuringReplay: true } },
  };
  const histories = new Channel<{ readonly workflowId: string; readonly history: ReturnType<typeof historyOfJson> }>();
  const results = Worker.runReplayHistories({ workflowBundle: { codePath }, ...(isTraced ? { sinks: sinks as never } : {}) }, histories);
  try {
    for await (const file of files) {
      const reports: ReplayReport[] = [];
      try {
        const stored = await readRuns(file);
        if ('missing' in stored) reports.push({ id: stored.id, file, outcome: 'not_replayed', reason: stored.missing });
        else {
          for (const run of stored.runs) {
            traced = [];
            histories.push({ workflowId: run.workflowId, history: historyOfJson(run) });
            const { value } = await results.next();
            reports.push(reportOf(run, file, value?.error, traced));
          }
        }
      } catch (error) {
        reports.push({ id: file, file, outcome: 'not_replayed', reason: error instanceof Error ? error.message : String(error) });
      }
      yield reports;
    }
  } finally {
    histories.end();
    await results.next();
  }
}

function reportOf(run: StoredRun, file: string, error: Error | undefined, traced: readonly TracedCommand[]): ReplayReport {
  const { id, workflowId, runId, events } = run;
  const started = readEvent(events[0] ?? {}).attributes['workflowType'] as { readonly name?: string } | undefined;
  const about = { id, file, workflow_id: workflowId, run_id: runId, workflow_type: started?.name ?? '' };
  if (error === undefined) return { ...about, outcome: 'same' };
  const message = wordsOfError(error);
  if (/no such function is exported by the workflow bundle/.test(message)) {
    const reason = `the workflow code has no workflow ${about.workflow_type}: name the file that exports it with --workflows`;
    return { ...about, outcome: 'not_replayed', reason, is_unknown_type: true };
  }
  if (/Unknown encoding: binary\/encrypted/.test(message)) {
    const reason = 'what Temporal stores of it is encrypted, and TURNKEEP_CODEC_KEYS does not have its key: add it';
    return { ...about, outcome: 'not_replayed', reason };
  }
  const [, hint] = /HistoryEvent\(id: (\d+)/.exec(message) ?? [];
  // What was asked for before the code threw is no difference, and ids are not compared there.
  const isSeen = error.name !== 'ReplayError' && !/ id of scheduled event /.test(message);
  const found = (isSeen ? findDivergence(events, traced, hint) : undefined) ?? unseen(error, run, traced);
  return { ...about, outcome: 'diverged', divergence: { ...found, message } };
}

/** The code threw, or it is not which commands there are that differs: what Core says is all that is known. */
function unseen(error: Error, { events }: StoredRun, traced: readonly TracedCommand[]): Divergence {
  if (error.name === 'ReplayError') {
    const stack = placesIn(quotedIn(error.message, 'stack_trace') ?? '');
    const change = 'the code fails where it did not';
    return { event: null, expected: 'the code goes on', found: 'the code throws', line: stack[0] ?? null, place: 'at', stack, change };
  }
  const message = wordsOfError(error);
  const [, what, was, is] = /: (.+) of scheduled event '(.*)' does not match .* '(.*)'$/s.exec(message) ?? [];
  const asked = commandEventsOf(events);
  const index = asked.findIndex(({ id }) => {
    const event = events.find(({ eventId }) => eventId === id);
    return was !== undefined && Object.values(readEvent(event ?? {}).attributes).includes(was);
  });
  const place = index === -1 ? 'behind' : 'at';
  const stack = placesIn((index === -1 ? traced.at(-1) : traced[index])?.stack ?? '');
  const event = asked[index];
  return {
    event: event === undefined ? null : { id: event.id, type: event.type },
    expected: what === undefined ? 'what the event says' : `${what} '${was}'`,
    found: what === undefined ? 'something else' : `'${is}'`,
    line: stack[0] ?? null,
    place,
    stack,
    change: what === undefined ? 'unknown' : `${what} was changed, or is made of something else`,
  };
}

/** The SDK wraps what Core says, and Core what the code says: of both, what is not the wrapping. */
function wordsOfError({ message }: Error): string {
  return (quotedIn(message, 'message') ?? message).replace(/^\[TMPRL\d+\] /, '');
}

/** Core prints a failure as Rust does. */
function quotedIn(text: string, name: string): string | undefined {
  const [, quoted] = new RegExp(`${name}: "((?:[^"\\\\]|\\\\.)*)"`).exec(text) ?? [];
  return quoted
    ?.replaceAll(String.raw`\"`, '"')
    .replaceAll(String.raw`\n`, '\n')
    .replaceAll(String.raw`\'`, "'");
}

/** What is pushed is what comes out, in this order. */
class Channel<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  push(value: T): void {
    this.#values.push(value);
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let value = this.#values.shift(); value !== undefined; value = this.#values.shift()) yield value;
      if (this.#isOver) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}

/**
 * Runs a turn again from its recording, through the code that ran it: what the provider sent, what its tools came to, and what
 * befell it from outside are played where they were, and the journal that comes out is compared with the one that was written.
 */
import { AttemptAborted, type AbortReason } from '../../activities/attempt/abort-reason.ts';
import { KeptStreams } from '../../activities/attempt/kept-streams.ts';
import { runAttempt } from '../../activities/attempt/run-attempt.ts';
import type { GrantedClaim } from '../../activities/attempt/running-attempts.ts';
import { failureOf } from '../../domain/failure.ts';
import type { RecordMode } from '../../domain/turn/recording.ts';
import type { RequestedOutcome } from '../../domain/turn/turn-state.ts';
import { settleTurn } from '../../settle/settle-turn.ts';
import type { Claim } from '../../store/ports/journal.ts';
import { decodeRecordings, type RecordedRun } from '../../store/recordings/decode.ts';
import type { ToolBox } from '../../tools/tool.ts';
import type { Bundle } from '../bundle.ts';
import { firstDifference, type JournalDifference } from './compare.ts';
import { Player } from './player.ts';
import { recordedProvider } from './recorded-provider.ts';
import { offeredTools, RecordedRound } from './recorded-tools.ts';
import { openScene, type RerunDatabase, type RowOrigin, type Scene } from './scene.ts';
import { uncoveredRows, whatIsMissing } from './coverage.ts';

export interface RerunReport {
  /** As its tenant calls it. */
  readonly id: string;
  readonly outcome: 'same' | 'differs' | 'not_rerun';
  /** Why it could not be run again: what is missing. */
  readonly reason?: string;
  /** `answers`: nothing is said of how the bytes are read. */
  readonly recorded?: RecordMode;
  /** Events of the recorded journal. */
  readonly events: number;
  /** Written in the last second of a lost process, which no recording has: taken as they are. */
  readonly taken: readonly { readonly from: number; readonly to: number }[];
  readonly difference?: JournalDifference & { readonly wire?: RowOrigin };
}

/** No lease is waited for: whoever claims next is the only one. */
const lease = { holder: 'rerun', lengthMs: -1 };

export async function rerunTurn(database: RerunDatabase, bundle: Bundle): Promise<RerunReport> {
  const { public_id: id } = bundle.turn;
  const events = bundle.journal.length;
  const reason = whatIsMissing(bundle);
  if (reason !== undefined) return { id, outcome: 'not_rerun', reason, events, taken: [] };
  const runs = decodeRecordings(bundle.recordings.map(({ data, ...part }) => ({ ...part, data: Buffer.from(data, 'base64') })));
  const scene = await openScene(database, bundle);
  const play = new Play(scene, bundle, runs);
  try {
    await play.all();
  } finally {
    await play.close();
  }
  const found = await scene.store.readJournal(scene.turn);
  const difference = firstDifference(bundle.journal, found);
  const begin = runs.flatMap(({ entries }) => entries).find((entry) => entry.type === 'begin');
  const facts = { id, events, taken: play.taken, ...(begin === undefined ? {} : { recorded: begin.mode }) };
  if (difference === undefined) return { ...facts, outcome: 'same' };
  const wire = scene.origins.get(difference.seq);
  return { ...facts, outcome: 'differs', difference: { ...difference, ...(wire === undefined ? {} : { wire }) } };
}

interface Started {
  readonly player: Player;
  readonly result: ReturnType<typeof runAttempt>;
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
}

interface Played {
  readonly toolBox: ToolBox;
  /** The provider keeps the answer. */
  readonly isKept?: boolean;
  readonly callEnds?: (place: number) => Promise<void>;
}

class Play {
  readonly taken: { from: number; to: number }[] = [];
  readonly #scene: Scene;
  readonly #bundle: Bundle;
  readonly #runs: readonly RecordedRun[];
  readonly #streams: KeptStreams;
  /** Of processes that were lost: they wait for what does not come. */
  readonly #lost: Started[] = [];
  readonly #callRuns = new Map<number, number>();

  constructor(scene: Scene, bundle: Bundle, runs: readonly RecordedRun[]) {
    this.#scene = scene;
    this.#bundle = bundle;
    this.#runs = runs;
    this.#streams = new KeptStreams(scene.store);
  }

  async all(): Promise<void> {
    for (const { step, attempt } of this.#bundle.attempts) {
      const runs = this.#runs.filter((run) => run.step === step && run.attempt === attempt);
      // Nothing came of it before its process was lost.
      if (runs.length === 0) await this.#claim(step);
      for (const run of runs) {
        const claim = await this.#claim(step);
        if (claim === undefined) return;
        await this.#playRun(claim, run);
      }
    }
    const lastStep = this.#bundle.calls.at(-1)?.step;
    if (lastStep !== undefined) await this.#playRounds(lastStep);
    await this.#settle();
  }

  /** What was left running is over. */
  async close(): Promise<void> {
    for (const { abort } of this.#lost) abort('fenced');
    await Promise.allSettled(this.#lost.map(({ result }) => result));
  }

  /** The right to the next request of the step, behind the calls that come before it; undefined: there is none. */
  async #claim(step: number): Promise<(Claim & { type: 'granted' }) | undefined> {
    await this.#playRounds(step);
    const claim = await this.#scene.store.claim({ turn: this.#scene.turn, step, lease });
    return claim.type === 'granted' ? claim : undefined;
  }

  async #playRun(claim: Claim & { type: 'granted' }, run: RecordedRun): Promise<void> {
    const { hooks } = this.#scene;
    const isKept = this.#bundle.attempts.some(
      ({ step, attempt, kept_response: kept }) => kept !== undefined && step === run.step && attempt === run.attempt,
    );
    const begun = this.#begin({ ...claim, readySinceMs: this.#readyForMs(run) }, run, { toolBox: offeredTools(this.#bundle, run), isKept });
    const { player } = begun;
    hooks.origin = () => ({ step: run.step, attempt: run.attempt, byte: player.bytesRead });
    hooks.wasCancelled = () => player.wasCancelled;
    const end = await Promise.race([begun.result, player.lost]);
    hooks.wasCancelled = () => false;
    if (end !== 'lost') return;
    this.#lost.push(begun);
    await player.quiet();
    await this.#take(run, claim.epoch);
  }

  /** The rows that a lost process has written behind what it had recorded. */
  async #take(run: RecordedRun, epoch: number): Promise<void> {
    const { store, turn, hooks } = this.#scene;
    const next = (await store.readHead(turn))?.last ?? -1;
    const rows = uncoveredRows(this.#bundle, this.#runs, run, next + 1);
    const [first, last] = [rows[0], rows.at(-1)];
    if (first === undefined || last === undefined) return;
    hooks.origin = () => undefined;
    const { step, attempt } = run;
    if (await store.append({ turn, epoch, rows, starts: { turn, step, attempt } })) this.taken.push({ from: first.seq, to: last.seq });
  }

  /** Carries out the calls before a step, as often as they were begun. */
  async #playRounds(step: number): Promise<void> {
    const { store, turn, hooks, endedCalls } = this.#scene;
    const recorded = this.#runs.filter((run) => run.step === step && run.attempt === 0);
    for (let isOver = false; !isOver;) {
      const open = (await store.readToolCalls(turn, step)).filter(({ endedAtMs }) => endedAtMs === undefined);
      if (open.length === 0 || (await store.readHead(turn))?.isSealed !== false) return;
      const claim = await store.claim({ turn, step, lease });
      if (claim.type !== 'tools') return;
      const run = recorded[0] ?? { step, attempt: 0, epoch: claim.epoch, entries: [] };
      const round = new RecordedRound(this.#bundle, step, { ended: endedCalls, runs: this.#callRuns });
      const begun = this.#begin(claim, run, { toolBox: round.box, callEnds: (place) => round.callEnds(place) });
      hooks.origin = () => ({ step, attempt: 0, byte: 0 });
      hooks.onWritten = () => round.noteNews();
      // Of what was said meanwhile, the round takes note once it is over.
      void begun.player.beforeMore();
      const end = await Promise.race([begun.result, hangs(round)]);
      hooks.onWritten = () => undefined;
      if (end === 'hangs' && recorded.length > 0 && (await begun.player.atEnd())) await begun.result;
      else if (end === 'hangs') {
        this.#lost.push(begun);
        isOver = open.every(({ number }) => this.#isCutOff(number));
      }
      recorded.shift();
    }
  }

  /** Was it begun as often as it ever was, and has it no end of its own? */
  #isCutOff(number: number): boolean {
    const call = this.#bundle.calls.find((each) => each.number === number);
    const hasEnd = call?.outcome === 'completed' || call?.outcome === 'failed' || call?.outcome === 'unknown';
    return call === undefined || (!hasEnd && (this.#callRuns.get(number) ?? 0) >= call.runs);
  }

  #begin(claim: GrantedClaim, run: RecordedRun, { toolBox, isKept = false, callEnds = async () => undefined }: Played): Started {
    const controller = new AbortController();
    const steering = new AbortController();
    const abort = (reason: AbortReason, cause?: unknown): void => controller.abort(new AttemptAborted(reason, cause));
    const player = new Player({ run, abort, steer: () => steering.abort(), callEnds });
    const provider = recordedProvider(run, player, isKept);
    const begin = run.entries.find((entry) => entry.type === 'begin');
    const result = runAttempt(
      {
        store: this.#scene.store,
        provider,
        agents: { providerOf: () => provider, toolBox, log: () => undefined },
        limits: {
          heartbeatTimeoutMs: 1,
          turnTimeoutMs: begin?.turn_timeout_ms ?? Number.MAX_SAFE_INTEGER,
          maxOutputBytes: begin?.max_output_bytes ?? Number.MAX_SAFE_INTEGER,
        },
        tapeOf: () => player,
        onReady: () => undefined,
        onError: () => undefined,
      },
      {
        claim,
        step: run.step,
        streams: this.#streams,
        signal: controller.signal,
        steered: steering.signal,
        abort,
        isLeaseOver: () => false,
        leaveRoom: () => undefined,
      },
    );
    // Of one that is lost nobody waits for the end.
    result.catch(() => undefined);
    return { player, result, abort };
  }

  #readyForMs({ entries }: RecordedRun): number {
    const { ready_at_ms: ready, created_at_ms: created } = this.#bundle.turn;
    const begin = entries.find((entry) => entry.type === 'begin');
    return begin === undefined ? 0 : Math.max(0, begin.at_ms - (ready ?? created));
  }

  /** The end that was written by nobody who ran the turn. */
  async #settle(): Promise<void> {
    const { store, turn, hooks } = this.#scene;
    const last = this.#bundle.journal.at(-1);
    if (last === undefined || (await store.readHead(turn))?.isSealed !== false) return;
    const requested = endOf(last.type, last.data);
    hooks.origin = () => undefined;
    if (requested !== undefined) await settleTurn({ store, onReady: () => undefined }, turn, requested);
  }
}

async function hangs(round: RecordedRound): Promise<'hangs'> {
  for (;;) {
    await round.quiet();
    if (round.hasHanging) return 'hangs';
  }
}

/** undefined: the turn had no end when it was exported. */
function endOf(type: string, data: string): RequestedOutcome | undefined {
  const { response } = JSON.parse(data) as {
    readonly response?: { readonly status: string; readonly error: { readonly code: string } | null };
  };
  if (type === 'response.incomplete' && response?.status === 'cancelled') return { status: 'cancelled' };
  if (type !== 'response.failed') return undefined;
  return { status: 'failed', failure: failureOf((response?.error?.code ?? 'worker_lost') as Parameters<typeof failureOf>[0]) };
}

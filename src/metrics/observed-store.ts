/**
 * A store that reports what passes through it to the metrics and the log, so that the code that runs turns knows of
 * neither. It changes no result, and no call waits for what is reported.
 */
import type { AttemptRow } from '../domain/turn/attempt.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Append, Claim, JournalFollower, Seal, SealResult } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';
import type { Metrics } from './metrics.ts';

/** The end of a turn, for the log: ids and facts, never content (T11). */
export interface EndedTurn {
  readonly responseId: string;
  readonly conversationId: string | null;
  readonly workflowId: string | null;
  readonly tenant: string;
  readonly status: string;
  readonly code: string | null;
  /** What was found out about a failure, such as `401 invalid_api_key`; no words of the provider's. */
  readonly detail?: string;
  readonly model: string;
  /** Requests to the model. */
  readonly requests: number;
  /** In and out, as far as the provider has told. */
  readonly tokens: number | null;
  /** From its acceptance. */
  readonly durationMs: number;
}

export interface Observers {
  readonly metrics: Metrics;
  /** Called for each turn that this process gave its end. */
  readonly onTurnEnd: (turn: EndedTurn) => void;
}

type KnownTurn = Pick<TurnRow, 'id' | 'publicId' | 'tenant' | 'session' | 'createdAtMs' | 'workflowId'> & { readonly model: string };

/** Turns claimed here whose end another process wrote are forgotten when there are this many newer ones. */
const maxClaimed = 10_000;

/** One for the metrics of a process: its gateway claims with the turn's acceptance what its worker streams. */
const knownTurns = new WeakMap<Metrics, { readonly claimed: Map<string, KnownTurn>; readonly shown: Map<string, number> }>();

export function observed(store: Store, { metrics, onTurnEnd }: Observers): Store {
  const known = knownTurns.get(metrics) ?? { claimed: new Map<string, KnownTurn>(), shown: new Map<string, number>() };
  knownTurns.set(metrics, known);
  /** Turns that are claimed here and not sealed yet; of these, when the first thing was shown, in ms from their acceptance. */
  const { claimed, shown } = known;
  metrics.attach(store);
  const { readUpkeep } = store;

  function forget(turn: string): void {
    claimed.delete(turn);
    shown.delete(turn);
  }

  function remember(turn: TurnRow): void {
    const [oldest] = claimed.keys();
    if (oldest !== undefined && claimed.size >= maxClaimed) forget(oldest);
    claimed.set(turn.id, knownOf(turn));
  }

  function countLost(attempts: number): void {
    for (let each = 0; each < attempts; each += 1) metrics.turns.attemptEnded({ outcome: 'lost' });
  }

  async function reportEnd({ turn, settled, attempt, usage }: Seal): Promise<void> {
    const shownAfterMs = shown.get(turn);
    const row = claimed.get(turn) ?? (await readKnown(turn));
    forget(turn);
    if (row === undefined) return;
    const durationMs = Date.now() - row.createdAtMs;
    // Whoever settled it from outside has sent no request.
    const booked = attempt === undefined ? await store.readAttempts(turn) : [];
    const last = attempt === undefined ? booked.at(-1) : { ...attempt, ...attempt.end };
    const firstTokenMs = shownAfterMs ?? firstTokenOf(booked, row);
    if (firstTokenMs !== undefined) metrics.turns.answered(row.model);
    metrics.turns.timed({ model: row.model, outcome: settled.status, durationMs, firstTokenMs });
    const { publicId: responseId, tenant, session, model, workflowId } = row;
    const detail = settled.status === 'failed' ? last?.detail : undefined;
    onTurnEnd({
      responseId,
      conversationId: session,
      workflowId,
      tenant,
      ...settled,
      ...(detail === undefined ? {} : { detail }),
      model,
      requests: last?.attempt ?? 0,
      tokens: usage?.total_tokens ?? null,
      durationMs,
    });
  }

  async function readKnown(id: string): Promise<KnownTurn | undefined> {
    const turn = await store.readTurn(id);
    return turn && knownOf(turn);
  }

  const observing = {
    async insertTurn(turn) {
      const result = await store.insertTurn(turn);
      if (result.type === 'inserted') metrics.turns.accepted();
      if (result.type === 'inserted' && result.begun !== undefined) remember(result.turn);
      return result;
    },

    async claim(request): Promise<Claim> {
      const claim = await store.claim(request);
      if (claim.type === 'granted') remember(claim.turn);
      if (claim.type === 'granted' && claim.response !== undefined) metrics.turns.reattached('worker');
      if (claim.type === 'granted' && claim.lostAttempts > 0) metrics.turns.retried('worker_lost');
      if (claim.type === 'granted') countLost(claim.lostAttempts);
      return claim;
    },

    append(append): Promise<boolean> {
      return append.starts === undefined ? store.append(append) : appendStart(append);
    },

    async endAttempt(attempt, epoch, end): Promise<void> {
      await store.endAttempt(attempt, epoch, end);
      metrics.turns.attemptEnded(end, claimed.get(attempt.turn)?.model);
    },

    async noteReattachment(note) {
      await store.noteReattachment(note);
      metrics.turns.reattached('attempt');
    },

    async endStep(step) {
      const result = await store.endStep(step);
      if (result === 'ended') metrics.turns.attemptEnded(step.attempt.end, claimed.get(step.turn)?.model);
      return result;
    },

    async seal(seal): Promise<SealResult> {
      const result = await store.seal(seal);
      if (result.type !== 'sealed') return result;
      metrics.turns.ended(seal.settled);
      countLost(result.lostAttempts);
      if (seal.attempt !== undefined) metrics.turns.attemptEnded(seal.attempt.end, claimed.get(seal.turn)?.model);
      inBackground(reportEnd(seal));
      return result;
    },

    follow(turn, after, signal, onEnd): JournalFollower {
      const rows = store.follow(turn, after, signal, () => {
        metrics.viewerLeft(rows);
        onEnd?.();
      });
      metrics.viewerJoined(rows, turn);
      return rows;
    },
  } satisfies Partial<Store>;

  async function appendStart(append: Append): Promise<boolean> {
    const isWritten = await store.append(append);
    const turn = claimed.get(append.turn);
    if (isWritten && turn !== undefined && !shown.has(append.turn)) {
      shown.set(append.turn, Date.now() - turn.createdAtMs);
      metrics.turns.answered(turn.model);
    }
    return isWritten;
  }

  const reading = readUpkeep && {
    async readUpkeep() {
      const upkeep = await readUpkeep();
      metrics.upkeepRead(upkeep);
      return upkeep;
    },
  };
  return { ...store, ...observing, ...reading };
}

/** In ms from the acceptance of the turn; undefined where nothing was shown. */
function firstTokenOf(attempts: readonly AttemptRow[], { createdAtMs }: KnownTurn): number | undefined {
  const shownAtMs = attempts.find(({ firstEventAtMs }) => firstEventAtMs !== undefined)?.firstEventAtMs;
  return shownAtMs === undefined ? undefined : shownAtMs - createdAtMs;
}

/** Without what makes it large. */
function knownOf({ id, publicId, tenant, session, createdAtMs, workflowId, settings }: TurnRow): KnownTurn {
  return { id, publicId, tenant, session, createdAtMs, workflowId, model: settings.model };
}

/** A number or a line that is missed while the database is busy or closed is no reason for anything to fail. */
function inBackground(work: Promise<void>): void {
  work.catch(() => undefined);
}

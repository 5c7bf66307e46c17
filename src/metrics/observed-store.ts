/**
 * A store that reports what passes through it to the metrics and the log, so that the code that runs turns knows of
 * neither. It changes no result, and no call waits for what is reported.
 */
import type { AttemptKey, AttemptRow } from '../domain/attempt.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { Append, Claim, ClaimRequest, JournalFollower, Seal } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';
import type { Metrics } from './metrics.ts';

/** The end of a turn, for the log: ids and facts, never content (T11). */
export interface EndedTurn {
  readonly responseId: string;
  readonly conversationId: string | null;
  readonly workflowId: string | null;
  readonly runId: string | null;
  readonly tenant: string;
  readonly status: string;
  readonly code: string | null;
  /** From its acceptance. */
  readonly durationMs: number;
}

export interface Observers {
  readonly metrics: Metrics;
  /** Called for each turn that this process gave its end. */
  readonly onTurnEnd: (turn: EndedTurn) => void;
}

type KnownTurn = Pick<TurnRow, 'tenant' | 'session' | 'createdAtMs' | 'workflowId' | 'runId'>;

/** Turns claimed here whose end another process wrote are forgotten when there are this many newer ones. */
const maxClaimed = 10_000;

export function observed(store: Store, { metrics, onTurnEnd }: Observers): Store {
  /** Turns that are claimed here and not sealed yet. */
  const claimed = new Map<string, KnownTurn>();
  /** Of these, the ones that have shown something. */
  const shown = new Set<string>();
  metrics.attach(store);

  function forget(turn: string): void {
    claimed.delete(turn);
    shown.delete(turn);
  }

  function remember({ turn, workflowId, runId }: ClaimRequest, row: TurnRow): void {
    const [oldest] = claimed.keys();
    if (oldest !== undefined && claimed.size >= maxClaimed) forget(oldest);
    const { tenant, session, createdAtMs } = row;
    claimed.set(turn, { tenant, session, createdAtMs, workflowId, runId });
  }

  /** Attempts that a claim or a seal found without an end, and ended. */
  async function countLost(turn: string, endedAtMs: number): Promise<void> {
    const isLost = (attempt: AttemptRow): boolean => attempt.outcome === 'lost' && attempt.endedAtMs === endedAtMs;
    for (const _ of (await store.readAttempts(turn)).filter(isLost)) metrics.attemptEnded({ outcome: 'lost' });
  }

  async function reportEnd({ turn, settled, atMs }: Seal): Promise<void> {
    const known = claimed.get(turn) ?? (await store.readTurn(turn));
    forget(turn);
    if (known === undefined) return;
    const { tenant, session, workflowId, runId, createdAtMs } = known;
    onTurnEnd({ responseId: turn, conversationId: session, workflowId, runId, tenant, ...settled, durationMs: atMs - createdAtMs });
  }

  const observing = {
    async insertTurn(turn) {
      const result = await store.insertTurn(turn);
      if (result.type === 'inserted') metrics.turnAccepted();
      return result;
    },

    async claim(request): Promise<Claim> {
      const claim = await store.claim(request);
      if (claim.type === 'granted') remember(request, claim.turn);
      const isAgain = claim.type === 'exhausted' || (claim.type === 'granted' && claim.attempt > 1);
      if (isAgain) inBackground(countLost(request.turn, request.atMs));
      return claim;
    },

    append(append): Promise<boolean> {
      return append.starts === undefined ? store.append(append) : appendStart(append);
    },

    async endAttempt(attempt: AttemptKey, end): Promise<void> {
      await store.endAttempt(attempt, end);
      metrics.attemptEnded(end);
    },

    async seal(seal): Promise<boolean> {
      const isSealed = await store.seal(seal);
      if (!isSealed) return false;
      metrics.turnEnded(seal.settled);
      if (seal.attempt === undefined) inBackground(countLost(seal.turn, seal.atMs));
      else metrics.attemptEnded(seal.attempt.end);
      inBackground(reportEnd(seal));
      return true;
    },

    follow(turn, after, signal): JournalFollower {
      const rows = store.follow(turn, after, signal);
      metrics.viewerJoined({ turn, rows });
      return rows;
    },
  } satisfies Partial<Store>;

  async function appendStart(append: Append): Promise<boolean> {
    const isWritten = await store.append(append);
    const turn = claimed.get(append.turn);
    if (isWritten && turn !== undefined && !shown.has(append.turn)) {
      shown.add(append.turn);
      metrics.firstToken(Date.now() - turn.createdAtMs);
    }
    return isWritten;
  }

  return { ...store, ...observing };
}

/** A number or a line that is missed while the database is busy or closed is no reason for anything to fail. */
function inBackground(work: Promise<void>): void {
  work.catch(() => undefined);
}

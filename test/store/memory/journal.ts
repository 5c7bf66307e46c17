import type { AttemptEnd, AttemptKey, AttemptRow } from '../../../src/domain/attempt.ts';
import { decideClaim, settledStatusOf } from '../../../src/domain/claim.ts';
import { isFailureCode } from '../../../src/domain/failure.ts';
import type { JournalRow, ResponseEvent } from '../../../src/domain/response-event.ts';
import { JournalBroker } from '../../../src/store/live/broker.ts';
import { JournalCursor } from '../../../src/store/live/cursor.ts';
import type { JournalSource } from '../../../src/store/live/source.ts';
import type { Claim, JournalHead, JournalStore } from '../../../src/store/ports/journal.ts';
import { type Connection, type StoredJournal, type StoredTurn, updateTurn } from './database.ts';

export function journalStore(connection: Connection): JournalStore & { close(): void } {
  const source: JournalSource = {
    readHead: (turn) => connection.transaction(({ turns }) => headOf(turns.get(turn)?.journal)),
    readRows: (turn, after, limits) =>
      connection.transaction(({ turns }) => {
        const rows = rowsAfter(turns.get(turn), after).slice(0, limits.rows);
        let chars = 0;
        const last = rows.findIndex(({ data }) => (chars += data.length) >= limits.chars);
        return last === -1 ? rows : rows.slice(0, last + 1);
      }),
  };
  const broker = new JournalBroker(source, connection);

  /** Writes rows if the epoch may, and whatever else belongs to them. */
  async function write(
    { turn, epoch, rows }: { readonly turn: string; readonly epoch: number; readonly rows: readonly JournalRow[] },
    isSealed: boolean,
    more: (turn: StoredTurn) => void,
  ): Promise<boolean> {
    const isWritten = await connection.transaction(({ turns }) => {
      const stored = turns.get(turn);
      const journal = stored?.journal;
      if (stored === undefined || journal?.epoch !== epoch || journal.isSealed) return false;
      if (rows[0] !== undefined && rows[0].seq !== journal.rows.length) return false;
      stored.journal = { epoch, isSealed, rows: [...journal.rows, ...rows] };
      more(stored);
      connection.notify(turn);
      return true;
    });
    if (isWritten) broker.announce(turn, rows, isSealed);
    return isWritten;
  }

  return {
    claim: (request) =>
      connection.transaction((database): Claim => {
        const { turn: id, step, atMs, workflowId, runId } = request;
        const turn = database.requireTurn(id);
        const ofStep = turn.attempts.filter((attempt) => attempt.step === step);
        const hasStarted = ofStep.some(({ firstEventAtMs }) => firstEventAtMs !== undefined);
        const decision = decideClaim({ turn: turn.row, hasStarted, requestsMade: ofStep.length });
        if (decision.type !== 'granted' && decision.type !== 'exhausted') return decision;
        endAttempts(turn, { endedAtMs: atMs, outcome: 'lost' }, (attempt) => attempt.step === step);
        if (decision.type === 'exhausted') return decision;
        const { attempt } = decision;
        const { row } = turn;
        turn.attempts = [...turn.attempts, { turn: id, step, attempt, requestedAtMs: atMs }];
        updateTurn(turn, { workflowId, runId });
        const events = rowsAfter(turn, -1).map(({ data }) => JSON.parse(data) as ResponseEvent);
        return { type: 'granted', epoch: raiseEpoch(turn), attempt, turn: row, events };
      }),
    fence: (id) =>
      connection.transaction((database) => {
        const turn = database.requireTurn(id);
        const settled = settledStatusOf(turn.row);
        return settled === undefined ? { epoch: raiseEpoch(turn) } : { epoch: -1, settled };
      }),
    endAttempt: (key, end) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(key.turn);
        if (turn !== undefined) endAttempts(turn, end, isAttempt(key));
      }),
    readAttempts: (turn) => connection.transaction(({ turns }) => turns.get(turn)?.attempts ?? []),
    append: (append) =>
      write(append, false, (turn) => {
        const { starts, status } = append;
        if (starts !== undefined) {
          const { atMs: firstEventAtMs, providerRequestId } = starts;
          const more = providerRequestId === undefined ? { firstEventAtMs } : { firstEventAtMs, providerRequestId };
          turn.attempts = turn.attempts.map((attempt) => (isAttempt(starts)(attempt) ? { ...attempt, ...more } : attempt));
        }
        if (status !== undefined) updateTurn(turn, { status });
      }),
    seal: (seal) =>
      write(seal, true, (turn) => {
        const { isStored, output, settled, atMs, retryAtMs = null, usage, response, attempt } = seal;
        if (isStored) turn.items = [...turn.items, ...output];
        const errorCode = isFailureCode(settled.code) ? settled.code : null;
        updateTurn(turn, { status: settled.status, errorCode, settledAtMs: atMs, retryAtMs, usage, response });
        if (attempt !== undefined) endAttempts(turn, attempt.end, isAttempt(attempt));
        endAttempts(turn, { endedAtMs: atMs, outcome: 'lost' }, () => true);
      }),
    readJournal: (turn, { after = -1, limit } = {}) =>
      connection.transaction(({ turns }) => rowsAfter(turns.get(turn), after).slice(0, limit)),
    readHead: (turn) => source.readHead(turn),
    follow: (turn, after, signal) => new JournalCursor(broker, turn, after, signal),
    untilSealed: (turn, signal) => broker.untilSealed(turn, signal),
    close: () => {
      broker.close();
    },
  };
}

function headOf(journal: StoredJournal | undefined): JournalHead | undefined {
  return journal && { epoch: journal.epoch, last: journal.rows.length - 1, isSealed: journal.isSealed };
}

function rowsAfter(turn: StoredTurn | undefined, after: number): readonly JournalRow[] {
  return turn?.journal?.rows.slice(Math.max(0, after + 1)) ?? [];
}

function raiseEpoch(turn: StoredTurn): number {
  if (turn.journal === undefined) throw new Error(`${turn.row.id} has no journal`);
  turn.journal = { ...turn.journal, epoch: turn.journal.epoch + 1 };
  return turn.journal.epoch;
}

/** Those that have an end keep it. */
function endAttempts(turn: StoredTurn, end: AttemptEnd, isMeant: (attempt: AttemptRow) => boolean): void {
  turn.attempts = turn.attempts.map((attempt) => (attempt.endedAtMs === undefined && isMeant(attempt) ? { ...attempt, ...end } : attempt));
}

function isAttempt(key: AttemptKey): (attempt: AttemptRow) => boolean {
  return ({ step, attempt }) => step === key.step && attempt === key.attempt;
}

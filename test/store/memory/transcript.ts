import type { TurnRow } from '../../../src/domain/turn/turn.ts';
import { type MemoryDatabase, type StoredTurn, updateTurn } from './database.ts';

/** The turn may run now, and its input is in the transcript (T1). */
export function makeReady(database: MemoryDatabase, turn: StoredTurn): void {
  record(database, turn);
  updateTurn(turn, { readyAtMs: Date.now() });
}

/** The input of the turn joins the transcript, behind those of the turns of its session that were accepted before it. */
export function recordThrough(database: MemoryDatabase, turn: StoredTurn): void {
  const { tenant, session } = turn.row;
  if (session !== null && !turn.row.isRecorded) {
    for (const earlier of database.unsettledIn(tenant, session)) if (earlier.ordinal < turn.ordinal) record(database, earlier);
  }
  record(database, turn);
}

/** The turn has ended: the first of its session that waits may run, unless another one runs. */
export function readyNext(database: MemoryDatabase, { row }: StoredTurn): string | undefined {
  const [first] = row.session === null ? [] : database.unsettledIn(row.tenant, row.session);
  if (first === undefined || first.row.readyAtMs !== null) return undefined;
  makeReady(database, first);
  return first.row.ownerRunId === null ? first.row.id : undefined;
}

function record(database: MemoryDatabase, turn: StoredTurn): void {
  const { id, isRecorded, isStored, session } = turn.row;
  if (isRecorded) return;
  const previous = session === null ? turn.row.previous : previousInSession(database, turn.row, session);
  updateTurn(turn, { isRecorded: true, previous });
  if (!isStored) return;
  const pointer = session === null ? undefined : database.sessions.get(session);
  if (pointer !== undefined) pointer.row = { ...pointer.row, leaf: id };
}

function previousInSession(database: MemoryDatabase, { replaces }: TurnRow, session: string): string | null {
  return (replaces === null ? database.sessions.get(session)?.row.leaf : database.turns.get(replaces)?.row.previous) ?? null;
}

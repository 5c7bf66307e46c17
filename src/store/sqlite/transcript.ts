/** The transcript: a turn's input joins it once, its output behind that, and the next prompt is read from it (T1). */
import { setImmediate } from 'node:timers/promises';
import type { Item } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt.ts';
import type { ResponseStatus } from '../../domain/response.ts';
import type { TurnRow } from '../../domain/turn.ts';
import { place, placeOf, stretches } from './chain.ts';
import type { Database } from './database.ts';
import { parsed, textOrNull } from './rows.ts';
import { readTurn, requireTurn } from './turns.ts';

/** The input joins the transcript once; the session's pointer moves in the same commit. */
export function recordInput(db: Database, id: string): TurnRow {
  return db.commit('durable', () => {
    record(db, requireTurn(db, id));
    return requireTurn(db, id);
  });
}

function record(db: Database, turn: TurnRow): void {
  if (turn.isRecorded) return;
  const previous = turn.session === null ? turn.previous : previousInSession(db, turn);
  // One that was cancelled before it ran is recorded late, but never after a turn that goes on from it.
  const before = previous === null ? undefined : readTurn(db, previous);
  if (before !== undefined) record(db, before);
  db.run('UPDATE turns SET recorded = 1, previous = ? WHERE id = ?', previous, turn.id);
  place(db, turn.id, previous === null ? undefined : placeOf(db, previous), !turn.isStored);
  // What is not to be stored reads the past and leaves nothing in it.
  if (!turn.isStored) return;
  insertItems(db, turn.id, turn.input);
  // Deleted before it ran: its words are the session's from now on, and no longer its own.
  if (turn.erasedBy !== null) db.run(`UPDATE turns SET input = '[]' WHERE id = ?`, turn.id);
  db.run('UPDATE sessions SET leaf = ? WHERE id = ?', turn.id, turn.session);
}

function previousInSession(db: Database, { session, replaces }: TurnRow): string | null {
  // Cancelled before it ran, it has no place yet, and what takes its place would have no past.
  const replaced = replaces === null ? undefined : readTurn(db, replaces);
  if (replaced !== undefined) record(db, replaced);
  const row =
    replaces === null
      ? db.one('SELECT leaf AS previous FROM sessions WHERE id = ?', session)
      : db.one('SELECT previous FROM turns WHERE id = ?', replaces);
  return textOrNull(row?.['previous']);
}

/** Appends to what the turn has. */
export function insertItems(db: Database, turn: string, items: readonly Item[]): void {
  if (items.length === 0) return;
  const first = Number(db.one('SELECT coalesce(max(position) + 1, 0) AS first FROM items WHERE turn = ?', turn)?.['first']);
  items.forEach((item, index) => {
    const callId = item.type === 'function_call' ? item.call_id : null;
    db.run(
      'INSERT INTO items (turn, position, id, call_id, item) VALUES (?, ?, ?, ?, ?)',
      turn,
      first + index,
      item.id,
      callId,
      JSON.stringify(item),
    );
  });
}

const rowsAtOnce = 500;

/** The turns before this one, oldest first, with their items. A long past is read in pieces, so that others run in between. */
export async function readTranscript(db: Database, turn: string): Promise<TranscriptTurn[]> {
  const here = placeOf(db, turn);
  if (here === undefined) return [];
  const turns: (TranscriptTurn & { readonly items: Item[] })[] = [];
  for (const { branch, upTo } of stretches(db, here)) {
    let depth = -1;
    let position = -1;
    for (;;) {
      const rows = db.all(
        `SELECT depth, position, status, error_code, item FROM turns JOIN items ON items.turn = turns.id
         WHERE branch = ? AND depth BETWEEN ? AND ? AND (depth, position) > (?, ?) AND turns.id <> ? ORDER BY depth, position LIMIT ${rowsAtOnce}`,
        branch,
        depth,
        upTo,
        depth,
        position,
        turn,
      );
      for (const row of rows) {
        if (row['depth'] !== depth) {
          depth = Number(row['depth']);
          turns.push({ status: row['status'] as ResponseStatus, errorCode: textOrNull(row['error_code']), items: [] });
        }
        position = Number(row['position']);
        turns.at(-1)?.items.push(parsed(row['item']));
      }
      if (rows.length < rowsAtOnce) break;
      await setImmediate();
    }
  }
  return turns;
}

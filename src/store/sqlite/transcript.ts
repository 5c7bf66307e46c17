/** The transcript: a turn's input joins it once, its output behind that, and the next prompt is read from it (T1). */
import { setImmediate } from 'node:timers/promises';
import type { Item } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt.ts';
import type { ResponseStatus } from '../../domain/response.ts';
import type { TurnRow } from '../../domain/turn.ts';
import { place, placeOf, stretches } from './chain.ts';
import type { Database } from './database.ts';
import { parsed, text, textOrNull } from './rows.ts';
import { readTurn, requireTurn, unsettledTurns } from './turns.ts';

/** The turn may run now: its input is in the transcript (T1), and every dispatcher may start it. */
export function makeReady(db: Database, turn: TurnRow): TurnRow {
  const recorded = record(db, turn);
  const readyAtMs = Date.now();
  db.run('UPDATE turns SET ready_at = ? WHERE id = ?', readyAtMs, turn.id);
  return { ...recorded, readyAtMs };
}

/** Records the turn, and before it the turns of its session that were accepted before it and still wait. */
export function recordThrough(db: Database, id: string): void {
  const turn = requireTurn(db, id);
  if (turn.isRecorded) return;
  if (turn.session !== null) {
    const sql = `SELECT id FROM ${unsettledTurns} AND session = ? AND recorded = 0
      AND ordinal < (SELECT ordinal FROM turns WHERE id = ?) ORDER BY ordinal`;
    for (const row of db.all(sql, turn.tenant, turn.session, id)) record(db, requireTurn(db, text(row['id'])));
  }
  record(db, requireTurn(db, id));
}

/** A turn of a session has ended: the first that waits becomes ready, unless another one runs. Returns its id. */
export function readyNext(db: Database, ended: string): string | undefined {
  const row = db.one('SELECT tenant, session FROM turns WHERE id = ? AND session IS NOT NULL', ended);
  if (row === undefined) return undefined;
  const sql = `SELECT id, ready_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal LIMIT 1`;
  const first = db.one(sql, text(row['tenant']), text(row['session']));
  if (first === undefined || first['ready_at'] !== null) return undefined;
  const next = requireTurn(db, text(first['id']));
  makeReady(db, next);
  return next.id;
}

/** Once: the input joins the transcript, and the session's pointer moves in the same commit (T1). */
function record(db: Database, turn: TurnRow): TurnRow {
  if (turn.isRecorded) return turn;
  const previous = turn.session === null ? turn.previous : previousInSession(db, turn);
  // One that was cancelled before it ran is recorded late, but never after a turn that goes on from it.
  const before = previous === null ? undefined : readTurn(db, previous);
  if (before !== undefined) record(db, before);
  db.run('UPDATE turns SET recorded = 1, previous = ? WHERE id = ?', previous, turn.id);
  place(db, turn.id, previous === null ? undefined : placeOf(db, previous), !turn.isStored);
  const recorded = { ...turn, previous, isRecorded: true };
  // A turn with `store: false` reads the past and leaves nothing in it.
  if (!turn.isStored) return recorded;
  insertItems(db, turn.id, turn.input);
  if (turn.session !== null) db.run('UPDATE sessions SET leaf = ? WHERE id = ?', turn.id, turn.session);
  return recorded;
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

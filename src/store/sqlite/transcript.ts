/** The transcript: a turn's input joins it once, its output behind that, and the next prompt is read from it (T1). */
import type { Item } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt/prompt.ts';
import { refusesInput } from '../../domain/prompt/refused-input.ts';
import type { ResponseStatus } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Page } from '../ports/sessions.ts';
import { isOnChain, type Place, placeBehind, placeIn, placeOf, stretches } from './chain.ts';
import type { Database, Row } from './database.ts';
import { readHiddenReasoning } from './hidden-reasoning.ts';
import { readItems } from './item-rows.ts';
import { Pace } from '../pace.ts';
import { numberOrNull, text, textOrNull, turnOf } from './rows.ts';
import { turnRows, unsettledTurns } from './turns.ts';

/** Of a turn, what its place in its session takes. */
interface SessionTurn extends Unrecorded {
  readonly tenant: string;
  readonly ordinal: number;
  readonly place: Place | undefined;
  readonly readyAtMs: number | null;
  readonly isCancelRequested: boolean;
  readonly isOwned: boolean;
  /** Another turn has called it, and waits for it. */
  readonly isChild: boolean;
}

interface Unrecorded {
  readonly id: string;
  readonly session: string | null;
  readonly previous: string | null;
  readonly replaces: string | null;
  readonly isStored: boolean;
}

/** What becomes of a turn when it is recorded: its past, and where it stands from then on. */
export interface Record {
  readonly previous: string | null;
  readonly place: Place;
}

const columns = 'id, tenant, session, previous, replaces, stored, branch, depth, ordinal, ready_at, cancel_requested_at, owner_run, parent';

export function sessionTurn(db: Database, id: string): SessionTurn | undefined {
  const row = db.one(`SELECT ${columns} FROM turns WHERE id = ?`, id);
  return row && sessionTurnOf(row);
}

function sessionTurnOf(row: Row): SessionTurn {
  return {
    id: text(row['id']),
    tenant: text(row['tenant']),
    session: textOrNull(row['session']),
    previous: textOrNull(row['previous']),
    replaces: textOrNull(row['replaces']),
    isStored: row['stored'] === 1,
    ordinal: Number(row['ordinal']),
    place: placeIn(row),
    readyAtMs: numberOrNull(row['ready_at']),
    isCancelRequested: row['cancel_requested_at'] !== null,
    isOwned: row['owner_run'] !== null,
    isChild: row['parent'] !== null,
  };
}

/**
 * The turn's input joins the transcript; the caller writes the turn's row, and moves the pointer of the session (T1).
 * @param hasCalls calls of an input are found under a branch that begins with their turn
 */
export function recordOf(db: Database, turn: Unrecorded, hasCalls: boolean): Record {
  const previous = turn.session === null ? turn.previous : previousInSession(db, turn);
  const before = previous === null ? undefined : placeOf(db, previous);
  // A turn with `store: false` reads the past and leaves nothing in it.
  return { previous, place: placeBehind(db, turn.id, before, !turn.isStored || hasCalls) };
}

/** Every turn of the session that was accepted before this one has been recorded. */
function previousInSession(db: Database, { session, replaces }: Unrecorded): string | null {
  const row =
    replaces === null
      ? db.one('SELECT leaf AS previous FROM sessions WHERE id = ?', session)
      : db.one('SELECT previous FROM turns WHERE id = ?', replaces);
  return textOrNull(row?.['previous']);
}

/** Records the turn, and before it the turns of its session that were accepted before it and still wait. */
export function recordThrough(db: Database, turn: SessionTurn): Place {
  if (turn.session !== null) {
    const sql = `SELECT ${columns} FROM ${unsettledTurns} AND session = ? AND branch IS NULL AND ordinal < ? ORDER BY ordinal`;
    for (const row of db.all(sql, turn.tenant, turn.session, turn.ordinal)) record(db, sessionTurnOf(row), null);
  }
  return record(db, turn, null);
}

/** A turn of the session has ended: the first that waits becomes ready, unless another one runs. Returns its id, if it is to be dispatched. */
export function readyNext(db: Database, tenant: string, session: string): string | undefined {
  const row = db.one(`SELECT ${columns} FROM ${unsettledTurns} AND session = ? ORDER BY ordinal LIMIT 1`, tenant, session);
  const first = row && sessionTurnOf(row);
  if (first === undefined || first.readyAtMs !== null) return undefined;
  // Recorded already, where one behind it was cancelled.
  if (first.place === undefined) record(db, first, Date.now());
  else db.run('UPDATE turns SET ready_at = ? WHERE id = ?', Date.now(), first.id);
  return first.isOwned ? undefined : first.id;
}

/**
 * Turns that wait although nothing of their session runs or waits before them: taken in by an earlier version, or left by a
 * fault. Without this their session would stand still for ever.
 */
export async function makeStrandedReady(db: Database): Promise<void> {
  const sql = `SELECT ${columns} FROM turns INDEXED BY turns_waiting WHERE settled_at IS NULL AND ready_at IS NULL
    AND (session IS NULL OR NOT EXISTS (SELECT 1 FROM turns AS earlier WHERE earlier.tenant = turns.tenant
      AND earlier.session = turns.session AND earlier.settled_at IS NULL AND earlier.ordinal < turns.ordinal)) LIMIT 200`;
  if (db.one(sql) === undefined) return;
  await db.commit('durable', () => {
    for (const row of db.all(sql)) {
      const turn = sessionTurnOf(row);
      if (turn.place === undefined) record(db, turn, Date.now());
      else db.run('UPDATE turns SET ready_at = ? WHERE id = ?', Date.now(), turn.id);
    }
  });
}

/** Once: the input joins the transcript, and the session's pointer moves in the same commit (T1). */
function record(db: Database, turn: SessionTurn, readyAtMs: number | null): Place {
  const { id, session, isStored } = turn;
  const hasCalls = db.one('SELECT 1 FROM items WHERE branch = ? LIMIT 1', id) !== undefined;
  const { previous, place } = recordOf(db, turn, hasCalls);
  const sql = 'UPDATE turns SET previous = ?, branch = ?, depth = ?, ready_at = ? WHERE id = ?';
  db.run(sql, previous, place.branch, place.depth, readyAtMs, id);
  if (session !== null && isStored) db.run('UPDATE sessions SET leaf = ? WHERE id = ?', id, session);
  return place;
}

/** Items before this position came in with the turn: all, of those put in by hand. */
const inputCount = `iif(kind = 'items', ${Number.MAX_SAFE_INTEGER}, input_count)`;

/** Behind a depth, in order: one look at an index for each turn and item, and nothing is sorted, since a place is never null. */
const pastOf = `SELECT turns.id, turns.depth, model, ${inputCount} AS input_count, status, error_code, position, item FROM turns CROSS JOIN items ON items.turn = turns.id
  WHERE turns.branch = ? AND turns.depth > ? AND turns.depth <= ? AND stored = 1 AND turns.id <> ? ORDER BY turns.depth, position`;

type OpenTurn = TranscriptTurn & { readonly items: Item[]; inputCount: number };

/** The turns before this one, oldest first, with their items. */
export async function readTranscript(db: Database, turn: string, { isIncluded } = { isIncluded: false }): Promise<TranscriptTurn[]> {
  const here = placeOf(db, turn);
  const leftOut = isIncluded ? '' : turn;
  // The first turn of a talk has nothing behind it.
  if (here === undefined || (here.depth === 0 && !isIncluded)) return [];
  const pace = new Pace();
  const turns: OpenTurn[] = [];
  for (const { branch, upTo } of stretches(db, here)) {
    let last = { id: '', depth: -1, position: -1 };
    for (let isWhole = false; !isWhole;) {
      isWhole = true;
      db.scan(pastOf, [branch, last.depth, upTo, leftOut], (row) => {
        const [id, depth, position, json] = [text(row['id']), Number(row['depth']), Number(row['position']), text(row['item'])];
        if (id !== last.id) turns.push(emptyTurn(db, row, pace));
        const current = turns.at(-1);
        current?.items.push(JSON.parse(json) as Item);
        if (current !== undefined && position < Number(row['input_count'])) current.inputCount += 1;
        last = { id, depth, position };
        pace.add(json.length);
        isWhole = !pace.slice.isFull;
        return isWhole;
      });
      if (isWhole) break;
      // What is left of the turn that the slice ended in.
      await pace.yieldIfFull();
      const current = turns.at(-1);
      if (current === undefined) continue;
      const below = Number(db.one(`SELECT ${inputCount} AS input_count FROM turns WHERE id = ?`, last.id)?.['input_count']);
      const input = await readItems(db, last.id, pace, { behind: last.position, below });
      const output = await readItems(db, last.id, pace, { behind: Math.max(last.position, below - 1) });
      for (const item of [...input, ...output]) current.items.push(item);
      current.inputCount += input.length;
    }
  }
  return turns;
}

function emptyTurn(db: Database, row: Row, pace: Pace): OpenTurn {
  const hidden = readHiddenReasoning(db, text(row['id']));
  for (const { encrypted } of hidden) pace.add(encrypted.length);
  const [errorCode, model] = [textOrNull(row['error_code']), textOrNull(row['model'])];
  const isRefused = errorCode === 'provider_rejected' && refusesInput(errorCode, lastDetail(db, text(row['id'])));
  const marks = { ...(hidden.length === 0 ? {} : { hidden }), ...(isRefused ? { isRefused } : {}) };
  return { status: row['status'] as ResponseStatus, errorCode, model, items: [], inputCount: 0, ...marks };
}

function lastDetail(db: Database, turn: string): string | null {
  const row = db.one('SELECT detail FROM attempts WHERE turn = ? ORDER BY step DESC, attempt DESC LIMIT 1', turn);
  return textOrNull(row?.['detail']);
}

/** undefined when the page begins behind a turn that is not on the way. */
export async function readChain(db: Database, leafTurn: string, { limit, order, after }: Page): Promise<TurnRow[] | undefined> {
  const leaf = placeOf(db, leafTurn);
  const cursor = after === undefined ? undefined : placeOf(db, after);
  if (after !== undefined && (leaf === undefined || cursor === undefined || !isOnChain(db, leaf, cursor))) return undefined;
  if (leaf === undefined) return [];
  const all = stretches(db, leaf);
  const [than, first] = order === 'asc' ? ['>', -1] : ['<', Number.MAX_SAFE_INTEGER];
  const sql = `${turnRows} WHERE branch = ? AND depth <= ? AND depth ${than} ? ORDER BY depth ${order} LIMIT ?`;
  const turns: TurnRow[] = [];
  for (const { branch, upTo } of order === 'asc' ? all : all.toReversed()) {
    if (turns.length === limit) break;
    turns.push(...db.all(sql, branch, upTo, cursor?.depth ?? first, limit - turns.length).map(turnOf));
  }
  return turns;
}

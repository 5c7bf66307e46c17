/** The transcript: a turn's input joins it once, its output behind that, and the next prompt is read from it (T1). */
import type { Item } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt/prompt.ts';
import { refusesInput } from '../../domain/prompt/refused-input.ts';
import type { ResponseStatus } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Page } from '../ports/sessions.ts';
import { isOnChain, type Place, placeBehind, placeIn, placeOf, stretches } from './chain.ts';
import { all, lockSession, lockTurn, now, one, run, scan, type Row, type SqlDatabase, type Work } from './work.ts';
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

export function* sessionTurn(id: string): Work<SessionTurn | undefined> {
  const row = yield* one(`SELECT ${columns} FROM turns WHERE id = ?`, id);
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
export function* recordOf(turn: Unrecorded, hasCalls: boolean): Work<Record> {
  const previous = turn.session === null ? turn.previous : yield* previousInSession(turn);
  const before = previous === null ? undefined : yield* placeOf(previous);
  // A turn with `store: false` reads the past and leaves nothing in it.
  return { previous, place: yield* placeBehind(turn.id, before, !turn.isStored || hasCalls) };
}

/** Every turn of the session that was accepted before this one has been recorded. */
function* previousInSession({ session, replaces }: Unrecorded): Work<string | null> {
  const row =
    replaces === null
      ? yield* one('SELECT leaf AS previous FROM sessions WHERE id = ?', session)
      : yield* one('SELECT previous FROM turns WHERE id = ?', replaces);
  return textOrNull(row?.['previous']);
}

/** Records the turn, and before it the turns of its session that were accepted before it and still wait. */
export function* recordThrough(turn: SessionTurn): Work<Place> {
  if (turn.session !== null) {
    const sql = `SELECT ${columns} FROM ${unsettledTurns} AND session = ? AND branch IS NULL AND ordinal < ? ORDER BY ordinal`;
    for (const row of yield* all(sql, turn.tenant, turn.session, turn.ordinal)) yield* record(sessionTurnOf(row), null);
  }
  return yield* record(turn, null);
}

/** A turn of the session has ended: the first that waits becomes ready, unless another one runs. Returns its id, if it is to be dispatched. */
export function* readyNext(tenant: string, session: string): Work<string | undefined> {
  const row = yield* one(`SELECT ${columns} FROM ${unsettledTurns} AND session = ? ORDER BY ordinal LIMIT 1`, tenant, session);
  const first = row && sessionTurnOf(row);
  if (first === undefined || first.readyAtMs !== null) return undefined;
  // Recorded already, where one behind it was cancelled.
  if (first.place === undefined) yield* record(first, yield* now());
  else yield* run('UPDATE turns SET ready_at = ? WHERE id = ?', yield* now(), first.id);
  return first.isOwned ? undefined : first.id;
}

/**
 * Turns that wait although nothing of their session runs or waits before them: taken in by an earlier version, or left by a
 * fault. Without this their session would stand still for ever.
 */
export async function makeStrandedReady(db: SqlDatabase): Promise<void> {
  const sql = `SELECT ${columns} FROM turns INDEXED BY turns_waiting WHERE settled_at IS NULL AND ready_at IS NULL
    AND (session IS NULL OR NOT EXISTS (SELECT 1 FROM turns AS earlier WHERE earlier.tenant = turns.tenant
      AND earlier.session = turns.session AND earlier.settled_at IS NULL AND earlier.ordinal < turns.ordinal)) LIMIT 200`;
  const stranded = (await db.read(() => all(sql))).map(sessionTurnOf);
  for (const { id, session } of stranded) {
    await db.commit('durable', function* () {
      if (session !== null) yield* lockSession(session);
      yield* lockTurn(id);
      const turn = yield* sessionTurn(id);
      if (turn === undefined || turn.readyAtMs !== null || !(yield* isFirst(turn))) return;
      if (turn.place === undefined) yield* record(turn, yield* now());
      else yield* run('UPDATE turns SET ready_at = ? WHERE id = ?', yield* now(), id);
    });
  }
}

/** Nothing of its session has no end and came before it. */
function* isFirst({ tenant, session, ordinal }: SessionTurn): Work<boolean> {
  if (session === null) return true;
  const sql = `SELECT 1 FROM ${unsettledTurns} AND session = ? AND ordinal < ? LIMIT 1`;
  return (yield* one(sql, tenant, session, ordinal)) === undefined;
}

/** Once: the input joins the transcript, and the session's pointer moves in the same commit (T1). */
function* record(turn: SessionTurn, readyAtMs: number | null): Work<Place> {
  const { id, session, isStored } = turn;
  const hasCalls = (yield* one('SELECT 1 FROM items WHERE branch = ? LIMIT 1', id)) !== undefined;
  const { previous, place } = yield* recordOf(turn, hasCalls);
  const sql = 'UPDATE turns SET previous = ?, branch = ?, depth = ?, ready_at = ? WHERE id = ?';
  yield* run(sql, previous, place.branch, place.depth, readyAtMs, id);
  if (session !== null && isStored) yield* run('UPDATE sessions SET leaf = ? WHERE id = ?', id, session);
  return place;
}

/** Items before this position came in with the turn: all, of those put in by hand. */
const inputCount = `CASE WHEN kind = 'items' THEN ${Number.MAX_SAFE_INTEGER} ELSE input_count END`;

/** Behind a depth, in order: one look at an index for each turn and item, and nothing is sorted, since a place is never null. */
const pastOf = `SELECT turns.id, turns.depth, model, ${inputCount} AS input_count, status, error_code, position, item FROM turns CROSS JOIN items ON items.turn = turns.id
  WHERE turns.branch = ? AND turns.depth > ? AND turns.depth <= ? AND stored = 1 AND turns.id <> ? ORDER BY turns.depth, position`;

type OpenTurn = TranscriptTurn & { readonly id: string; readonly items: Item[]; inputCount: number };

/** The turns before this one, oldest first, with their items. */
export async function readTranscript(db: SqlDatabase, turn: string, { isIncluded } = { isIncluded: false }): Promise<TranscriptTurn[]> {
  const here = await db.read(() => placeOf(turn));
  const leftOut = isIncluded ? '' : turn;
  // The first turn of a talk has nothing behind it.
  if (here === undefined || (here.depth === 0 && !isIncluded)) return [];
  const pace = new Pace();
  const turns: OpenTurn[] = [];
  for (const { branch, upTo } of await db.read(() => stretches(here))) {
    let last = { id: '', depth: -1, position: -1 };
    for (let isWhole = false; !isWhole;) {
      const known = turns.length;
      isWhole = await db.read(() =>
        scan(pastOf, [branch, last.depth, upTo, leftOut], (row) => {
          const [id, depth, position, json] = [text(row['id']), Number(row['depth']), Number(row['position']), text(row['item'])];
          if (id !== last.id) turns.push(emptyTurn(row));
          const current = turns.at(-1);
          current?.items.push(JSON.parse(json) as Item);
          if (current !== undefined && position < Number(row['input_count'])) current.inputCount += 1;
          last = { id, depth, position };
          pace.add(json.length);
          return !pace.slice.isFull;
        }),
      );
      for (const found of turns.slice(known)) Object.assign(found, await db.read(() => marksOf(found, pace)));
      if (isWhole) break;
      // What is left of the turn that the slice ended in.
      await pace.yieldIfFull();
      const current = turns.at(-1);
      if (current === undefined) continue;
      const { id } = last;
      const row = await db.read(() => one(`SELECT ${inputCount} AS input_count FROM turns WHERE id = ?`, id));
      const below = Number(row?.['input_count']);
      const input = await readItems(db, id, pace, { behind: last.position, below });
      const output = await readItems(db, id, pace, { behind: Math.max(last.position, below - 1) });
      for (const item of [...input, ...output]) current.items.push(item);
      current.inputCount += input.length;
    }
  }
  return turns.map(({ id: _id, ...said }) => said);
}

function emptyTurn(row: Row): OpenTurn {
  const [errorCode, model] = [textOrNull(row['error_code']), textOrNull(row['model'])];
  return { id: text(row['id']), status: row['status'] as ResponseStatus, errorCode, model, items: [], inputCount: 0 };
}

/** What is told of a turn beside its items. */
function* marksOf({ id, errorCode }: OpenTurn, pace: Pace): Work<Pick<TranscriptTurn, 'hidden' | 'isRefused'>> {
  const hidden = yield* readHiddenReasoning(id);
  for (const { encrypted } of hidden) pace.add(encrypted.length);
  const isRefused = errorCode === 'provider_rejected' && refusesInput(errorCode, yield* lastDetail(id));
  return { ...(hidden.length === 0 ? {} : { hidden }), ...(isRefused ? { isRefused } : {}) };
}

function* lastDetail(turn: string): Work<string | null> {
  const row = yield* one('SELECT detail FROM attempts WHERE turn = ? ORDER BY step DESC, attempt DESC LIMIT 1', turn);
  return textOrNull(row?.['detail']);
}

/** undefined when the page begins behind a turn that is not on the way. */
export async function readChain(db: SqlDatabase, leafTurn: string, { limit, order, after }: Page): Promise<TurnRow[] | undefined> {
  const leaf = await db.read(() => placeOf(leafTurn));
  const cursor = after === undefined ? undefined : await db.read(() => placeOf(after));
  const isOnWay = async (): Promise<boolean> =>
    leaf !== undefined && cursor !== undefined && (await db.read(() => isOnChain(leaf, cursor)));
  if (after !== undefined && !(await isOnWay())) return undefined;
  if (leaf === undefined) return [];
  const chain = await db.read(() => stretches(leaf));
  const [than, first] = order === 'asc' ? ['>', -1] : ['<', Number.MAX_SAFE_INTEGER];
  const sql = `${turnRows} WHERE branch = ? AND depth <= ? AND depth ${than} ? ORDER BY depth ${order} LIMIT ?`;
  const turns: TurnRow[] = [];
  for (const { branch, upTo } of order === 'asc' ? chain : chain.toReversed()) {
    if (turns.length === limit) break;
    const rows = await db.read(() => all(sql, branch, upTo, cursor?.depth ?? first, limit - turns.length));
    turns.push(...rows.map(turnOf));
  }
  return turns;
}

/** A new session that shares the past of a turn, up to one of its steps: the words up to there may be others. */
import { createHash } from 'node:crypto';
import { isWorkers, type Item, type NewItem } from '../domain/item.ts';
import { isCompaction } from '../domain/prompt/compaction.ts';
import type { TranscriptTurn } from '../domain/prompt/prompt.ts';
import type { SessionRow } from '../domain/turn/session.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Store } from '../store/ports/store.ts';
import { newId } from './ids.ts';
import { whileCallerWaits } from './patience.ts';
import { withNewIds } from './submission.ts';

/** Takes the place of the item of the turn that has this id. */
export interface Edit {
  readonly id: string;
  readonly item: NewItem;
}

export interface Fork {
  /** 1-based: the session ends where this step was asked for. Absent: behind the whole turn. */
  readonly step?: number | undefined;
  readonly edits?: readonly Edit[] | undefined;
  /** The same key gives the same session: a client whose answer was lost asks again. */
  readonly idempotencyKey?: string | undefined;
}

export type ForkResult =
  | { readonly type: 'forked'; readonly session: SessionRow }
  /** The turn, or the one that it went on from, was dropped meanwhile. */
  | { readonly type: 'gone' }
  /** The turn has no end yet. */
  | { readonly type: 'unsettled' }
  | { readonly type: 'unknown_step'; readonly steps: number }
  /** `edits[index]` names an item that the turn does not have up to there. */
  | { readonly type: 'unknown_item'; readonly index: number; readonly id: string };

type ForkStore = Pick<Store, 'addItems' | 'createSession' | 'readAttempts' | 'readInput' | 'readSession' | 'readTranscript'>;

/**
 * The turn itself stays as it is, and so does its session. Without a step and edits the new session points to the turn; else it
 * has copies of the turn's items up to there.
 *
 * @param turn that its tenant may see, and that is not erased
 * @throws `StoreBusyError` when the database did not take it in 5 s
 */
export async function forkTurn(store: ForkStore, turn: TurnRow, { step, edits = [], idempotencyKey: key }: Fork): Promise<ForkResult> {
  if (turn.settledAtMs === null) return { type: 'unsettled' };
  const id = key === undefined ? newId('conv') : idOfKey(turn, key);
  const known = key === undefined ? undefined : await store.readSession(turn.tenant, id);
  if (known !== undefined) return { type: 'forked', session: known };
  const session = await newSession(store, turn, id, step);
  if (step === undefined && edits.length === 0) {
    return forkedOf(await whileCallerWaits(() => store.createSession({ ...session, leaf: turn.id })));
  }
  const steps = Math.max(0, ...(await store.readAttempts(turn.id)).map((attempt) => attempt.step));
  if (step !== undefined && step > Math.max(steps, 1)) return { type: 'unknown_step', steps };
  const items = await itemsBefore(store, turn, step);
  const places = edits.map(({ id }) => items.findLastIndex((item) => item.id === id));
  const unknown = places.indexOf(-1);
  if (unknown !== -1) return { type: 'unknown_item', index: unknown, id: edits[unknown]?.id ?? '' };
  const replaced = new Map(edits.map(({ item }, index) => [places[index], item]));
  const edited = items.map((item, place): Item | NewItem => replaced.get(place) ?? item);

  const branch = { ...session, leaf: turn.previous };
  const { tenant, createdAtMs } = session;
  if (edited.length === 0) return forkedOf(await whileCallerWaits(() => store.createSession(branch)));
  const copies = { id: newId('items'), tenant, session: id, items: withNewIds(edited), createdAtMs, creates: branch };
  const added = await whileCallerWaits(() => store.addItems({ ...copies, model: turn.settings.model }));
  // The same key came twice at once: the session is that of whoever was first.
  return forkedOf(added === undefined ? await store.readSession(tenant, id) : { ...session, leaf: copies.id });
}

function forkedOf(session: SessionRow | undefined): ForkResult {
  return session === undefined ? { type: 'gone' } : { type: 'forked', session };
}

/** Of the session that this key makes of a turn: as long as those of others, and as hard to guess as the key. */
function idOfKey({ id }: TurnRow, key: string): string {
  return `conv_${createHash('sha256')
    .update(JSON.stringify([id, key]))
    .digest('hex')
    .slice(0, 48)}`;
}

/** It says where it comes from, beside what the session of the turn says of itself. */
async function newSession(
  store: Pick<Store, 'readSession'>,
  { tenant, session, publicId }: TurnRow,
  id: string,
  step: number | undefined,
): Promise<Omit<SessionRow, 'leaf'>> {
  const origin = session === null ? undefined : await store.readSession(tenant, session);
  const metadata = { ...origin?.metadata, forked_from: publicId, ...(step === undefined ? {} : { forked_at_step: String(step) }) };
  return { id, tenant, metadata, createdAtMs: Date.now() };
}

/** What the turn brought, and what its steps before this one came to, with the outcomes of their calls; all of it without a step. */
async function itemsBefore(
  store: Pick<Store, 'readInput' | 'readTranscript'>,
  turn: TurnRow,
  step = Number.POSITIVE_INFINITY,
): Promise<readonly Item[]> {
  const said = await ownPart(store, turn);
  if (said === undefined) return [];
  // A request for an approval is answered where it was asked, and in a copy by nobody: the model asks anew.
  const answer = said.items.slice(said.inputCount).filter(({ type }) => type !== 'mcp_approval_request');
  // A step that another one follows ends with the calls of workers' tools, or is a compaction.
  const last = answer.findLastIndex((item) => (isWorkers(item) ? item.turnkeep.step < step : isCompaction(item) && step > 1));
  const isWhole = step === Number.POSITIVE_INFINITY;
  return [...said.items.slice(0, said.inputCount), ...(isWhole ? answer : answer.slice(0, last + 1))];
}

/** A turn that brought nothing and said nothing is not in the transcript: what stands last there is of a turn before it. */
async function ownPart(store: Pick<Store, 'readInput' | 'readTranscript'>, { id }: TurnRow): Promise<TranscriptTurn | undefined> {
  const turns = await store.readTranscript(id, { isIncluded: true });
  const isThere = (await store.readInput(id)).length > 0 || turns.length > (await store.readTranscript(id)).length;
  return isThere ? turns.at(-1) : undefined;
}

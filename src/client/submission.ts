/** A submission of a turn, and its items with the ids that they are to have. */
import { givenIdOf, type InputItem, isCall, isCallOutput, type Item, type NewItem } from '../domain/item.ts';
import type { ResponseSettings } from '../domain/response-settings.ts';
import type { TurnOwner } from '../domain/turn.ts';
import type { Store } from '../store/ports/store.ts';
import type { NewTurn } from '../store/ports/turns.ts';
import { itemPrefix, newId } from './ids.ts';

/** Refers to an item of the tenant that is in the database already. */
export interface ItemReference {
  readonly type: 'item_reference';
  readonly id: string;
}

export type SubmittedItem = NewItem | ItemReference;

/** What to do while an earlier turn of the session is not settled: wait for it, be refused, or have it cancelled. */
export type WhenBusy = 'enqueue' | 'reject' | 'interrupt';

export interface Submission {
  readonly tenant: string;
  readonly settings: ResponseSettings;
  readonly input: readonly SubmittedItem[];
  /** The conversation this turn belongs to. */
  readonly session: string | null;
  /** The turn this one follows, outside of a conversation, by its public id. */
  readonly previous: string | null;
  /** What its response says that it follows, where that is not in the database: the input begins with what was said there. */
  readonly continues?: string;
  readonly idempotencyKey: string | null;
  /** The client's own library is sending this again after a failed attempt of its own. */
  readonly isResend: boolean;
  /** When the request arrived, ms since the epoch. */
  readonly receivedAtMs: number;
  /** Aborts when the client has gone: a submission that the database has not taken by then is dropped. */
  readonly signal?: AbortSignal;
  /** What the client calls the turn, `resp_…`: its public id. */
  readonly id?: string;
  /** A workflow of somebody's own that carries the turn out: nothing is dispatched for it, and its `id` is also its own. */
  readonly owner?: TurnOwner;
  /** `enqueue` where nothing is said. */
  readonly whenBusy?: WhenBusy;
  /** It is to be found as a stored Chat Completion. */
  readonly completion?: NonNullable<NewTurn['completion']>;
  /** The id of a settled turn of the session whose place this one takes: it follows the turn before that. */
  readonly replaces?: string;
}

/** In characters of JSON: what references may stand for together, each counted as often as it is made. No body is longer (T14). */
const maxReferredChars = 33_554_432;

export type Unresolved =
  /** `input[index]` refers to an item that is not there. */
  { readonly type: 'unknown_item'; readonly index: number; readonly id: string } | { readonly type: 'references_too_large' };

/** The items with new ids, references replaced by the items they name. */
export async function resolveInput(
  store: Pick<Store, 'findItems'>,
  { tenant, input }: Pick<Submission, 'tenant' | 'input'>,
): Promise<readonly InputItem[] | Unresolved> {
  const references = input.flatMap((item) => (item.type === 'item_reference' ? [item.id] : []));
  const known = references.length === 0 ? new Map<string, Item>() : await store.findItems(tenant, references, maxReferredChars);
  return known === undefined ? { type: 'references_too_large' } : resolveReferences(input, known);
}

export function resolveReferences(input: readonly SubmittedItem[], known: ReadonlyMap<string, Item>): readonly InputItem[] | Unresolved {
  const items: InputItem[] = [];
  const taken = new Set<string>();
  for (const [index, item] of input.entries()) {
    if (item.type !== 'item_reference') {
      items.push(withNewId(item, taken));
      continue;
    }
    const found = known.get(item.id);
    if (found === undefined) return { type: 'unknown_item', index, id: item.id };
    items.push(withNewId(found, taken));
  }
  return items;
}

/** One that is passed on as it came keeps the id that it came with: its client and its provider may refer to it. */
function withNewId(item: NewItem | Item, taken: Set<string>): InputItem {
  const given = givenIdOf(item);
  // A page of them begins behind an id, and one that two items have is no place.
  const isKept = given !== undefined && !taken.has(given);
  if (isKept) taken.add(given);
  return { ...item, id: isKept ? given : newId(itemPrefix(item.type)) };
}

export function withNewIds(items: readonly NewItem[]): readonly InputItem[] {
  const taken = new Set<string>();
  return items.map((item) => withNewId(item, taken));
}

/** The outputs among the items whose call is not among them. */
export function outputsWithoutCall(items: readonly InputItem[]): readonly { readonly index: number; readonly callId: string }[] {
  const calls = new Set(items.flatMap((item) => (isCall(item) ? [item.call_id] : [])));
  return items.flatMap((item, index) => (isCallOutput(item) && !calls.has(item.call_id) ? [{ index, callId: item.call_id }] : []));
}

/** A submission of a turn, and its items with the ids that they are to have. */
import { compactionContent, isCompaction } from '../domain/prompt/compaction.ts';
import { givenIdOf, type InputItem, isCall, isCallOutput, type Item, type NewItem } from '../domain/item.ts';
import { forAnotherModel } from '../domain/prompt/prompt.ts';
import type { ResponseSettings } from '../domain/response/response-settings.ts';
import type { ParentCall, TurnOwner } from '../domain/turn/turn.ts';
import type { FoundItem } from '../store/ports/sessions.ts';
import type { Store } from '../store/ports/store.ts';
import type { NewTurn } from '../store/ports/turns.ts';
import { itemPrefix, newId } from './ids.ts';

/** Refers to an item of the tenant that is in the database already. */
export interface ItemReference {
  readonly type: 'item_reference';
  readonly id: string;
}

/** Of an item that a client sends whole: the response that it is of, where its id says so and it has what only its model can read. */
export const answerOf = Symbol('answerOf');

export type SubmittedItem = (NewItem & { readonly [answerOf]?: string }) | ItemReference;

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
  /** The call of an agent that the turn carries out: its id is made of that. */
  readonly parent?: ParentCall;
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
  | { readonly type: 'unknown_item'; readonly index: number; readonly id: string }
  | { readonly type: 'references_too_large' }
  /** What `input[index]` stands for, only this model can read, and nothing else says it. */
  | { readonly type: 'foreign_compaction'; readonly index: number; readonly model: string };

/**
 * The items with new ids, references replaced by the items they name. What another model than the one that is asked now has
 * sealed or signed is left out of them, as far as it is known where they come from: its provider would refuse it. Of a
 * compaction nothing would be left: it is left out where there is a past that is told in its place.
 */
export async function resolveInput(
  store: Pick<Store, 'findItems' | 'findModels' | 'readSession'>,
  { tenant, input, settings, session, previous }: Pick<Submission, 'tenant' | 'input' | 'settings' | 'session' | 'previous'>,
): Promise<readonly InputItem[] | Unresolved> {
  const references = input.flatMap((item) => (item.type === 'item_reference' ? [item.id] : idOfForeign(item)));
  const items = references.length === 0 ? noItems : await store.findItems(tenant, references, maxReferredChars);
  if (items === undefined) return { type: 'references_too_large' };
  const answers = new Set(input.flatMap((item) => (item.type === 'item_reference' ? [] : (item[answerOf] ?? []))));
  const models = answers.size === 0 ? noModels : await store.findModels(tenant, answers);
  const hasForeign = [...items.values()].some(({ item }) => isForeign(item));
  const hasPast = hasForeign && (previous !== null || (session !== null && (await store.readSession(tenant, session))?.leaf != null));
  return resolveItems(input, { items, models, asked: settings.model, hasPast });
}

function isForeign(item: Item | SubmittedItem): item is Item | NewItem {
  return isCompaction(item) && compactionContent(item as Item).type === 'foreign';
}

/** An id may be of another item, where a client has made it. */
function isSame(known: Item, submitted: SubmittedItem): boolean {
  if (!isForeign(known)) return false;
  if (submitted.type === 'item_reference') return true;
  return (submitted as { readonly encrypted_content?: unknown }).encrypted_content === Reflect.get(known, 'encrypted_content');
}

/** A client sends the item whole; the one in the database says which model made it. */
function idOfForeign(item: SubmittedItem): readonly string[] {
  const id = isForeign(item) ? givenIdOf(item) : undefined;
  return id === undefined ? [] : [id];
}

const noItems: ReadonlyMap<string, FoundItem> = new Map();
const noModels: ReadonlyMap<string, string> = new Map();

export interface Known {
  /** Those that are referred to, by their ids. */
  readonly items: ReadonlyMap<string, FoundItem>;
  /** Of the responses that items are of, by their ids. */
  readonly models: ReadonlyMap<string, string>;
  /** The model that is asked now. */
  readonly asked: string;
  /** Are there turns before it, which hold what an item of the input stands for? */
  readonly hasPast?: boolean;
}

export function resolveItems(
  input: readonly SubmittedItem[],
  { items: found, models, asked, hasPast = false }: Known,
): readonly InputItem[] | Unresolved {
  const items: InputItem[] = [];
  const taken = new Set<string>();
  const readable = <T extends Item | NewItem>(item: T, model: string | null | undefined): T =>
    model == null || model === asked ? item : forAnotherModel(item);
  for (const [index, submitted] of input.entries()) {
    const [compaction] = submitted.type === 'item_reference' ? [submitted.id] : idOfForeign(submitted);
    const origin = compaction === undefined ? undefined : found.get(compaction);
    const maker = origin !== undefined && isSame(origin.item, submitted) ? origin.model : null;
    if (origin !== undefined && maker !== null && maker !== asked) {
      if (!hasPast) return { type: 'foreign_compaction', index, model: maker };
      // It replaces nothing, as one that did not come to its end. Its id stays that of the one that says something.
      const { id: _theirs, ...unread } = { ...origin.item, encrypted_content: '' };
      items.push(withNewId(unread, taken));
      continue;
    }
    if (submitted.type !== 'item_reference') {
      const { [answerOf]: answer, ...item } = submitted;
      items.push(withNewId(readable(item as NewItem, models.get(answer ?? '')), taken));
      continue;
    }
    const known = found.get(submitted.id);
    if (known === undefined) return { type: 'unknown_item', index, id: submitted.id };
    items.push(withNewId(readable(known.item, known.model), taken));
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

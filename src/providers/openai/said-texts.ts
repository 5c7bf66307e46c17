/**
 * What the deltas of a Responses stream have said of each message and reasoning item, so that its done events can be read for what
 * they are: a repetition, or more than the deltas told. Addresses are not trusted: some servers give each event of an item another
 * id, some give all items one index. Items come one after the other, so what fits nowhere else belongs to the last one. Pure.
 */
import { protocolError } from '../failures/model-failure.ts';
import { asText, type JsonRecord } from '../json.ts';

export type TextKind = 'text' | 'refusal' | 'reasoning';

/** A text of an item: of a message's content, or of reasoning's summary or content. */
export interface SaidPart {
  /** Unique in the stream: `ModelDelta.item`. */
  readonly key: string;
  /** The key of its item. */
  readonly of: string;
  said: string;
  annotations: number;
}

export interface SaidItem {
  readonly key: string;
  readonly id: string | undefined;
  readonly index: number | undefined;
  readonly parts: Map<string, SaidPart>;
  isDone: boolean;
}

/** The items of one kind: messages, or reasoning. */
export class SaidTexts {
  readonly #kind: string;
  readonly #items: SaidItem[] = [];

  constructor(kind: 'message' | 'reasoning') {
    this.#kind = kind;
  }

  get items(): readonly SaidItem[] {
    return this.#items;
  }

  /** The item that an event begins. It may have begun without one. */
  begin(id: unknown, index: unknown): SaidItem {
    const last = this.#items.at(-1);
    if (last !== undefined && !last.isDone && last.id !== undefined && last.id === id) return last;
    const item: SaidItem = {
      key: `${this.#kind} ${this.#items.length}`,
      id: asText(id),
      index: typeof index === 'number' ? index : undefined,
      parts: new Map(),
      isDone: false,
    };
    this.#items.push(item);
    return item;
  }

  /** Whether an event of an item that is not found is about another one than the last: it is, unless only its id says so. */
  isApart(index: unknown): boolean {
    const last = this.#items.at(-1);
    return last === undefined || last.isDone || (typeof index === 'number' && last.index !== undefined);
  }

  find(id: unknown, index: unknown): SaidItem | undefined {
    const byId = asText(id) === undefined ? undefined : this.#items.findLast((item) => item.id === id && !item.isDone);
    if (byId !== undefined) return byId;
    const last = this.#items.at(-1);
    if (last === undefined || last.isDone) return undefined;
    const hasIndex = typeof index === 'number' && last.index !== undefined;
    if (hasIndex) return this.#items.findLast((item) => item.index === index && !item.isDone);
    return asText(id) === undefined || last.id === undefined ? last : undefined;
  }
}

/** The part of an item that an event is about. */
export function partOf(item: SaidItem, kind: TextKind, event: JsonRecord): SaidPart {
  const { content_index: content, summary_index: summary } = event;
  const place = typeof summary === 'number' ? `s${summary}` : typeof content === 'number' ? `c${content}` : '';
  return partAt(item, kind, place);
}

export function partAt(item: SaidItem, kind: TextKind, place: string): SaidPart {
  const name = `${kind} ${place}`;
  const known = item.parts.get(name);
  if (known !== undefined) return known;
  const part = { key: `${item.key} ${place}`, of: item.key, said: '', annotations: 0 };
  item.parts.set(name, part);
  return part;
}

export function saidOf(item: SaidItem, kind: TextKind): string {
  let said = '';
  for (const [name, part] of item.parts) if (name.startsWith(kind)) said += part.said;
  return said;
}

/**
 * What a whole text has beyond what was said of it.
 * @throws ProviderError `provider_protocol` where it says something else: the beginning that was shown cannot be taken back
 */
export function restOf(said: string, whole: string): string {
  if (whole.startsWith(said)) return whole.slice(said.length);
  // Servers trim, and some send nothing in a done event, or what came last.
  if (said.startsWith(whole) || said.trim() === whole.trim()) return '';
  // Half a character of a delta, before its other half came.
  if (said.toWellFormed() === whole.toWellFormed()) return '';
  throw protocolError('done_contradicts_deltas');
}

/** Whether a whole text has all that was said of it, as `restOf` reads it. */
export function isRestOf(said: string, whole: string): boolean {
  try {
    restOf(said, whole);
    return true;
  } catch {
    return false;
  }
}

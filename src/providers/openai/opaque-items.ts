/**
 * The items of a Responses stream that turnkeep passes on as they came, and which events are about them. An event of an item that
 * was never begun is dropped: OpenAI's client refuses it.
 */
import type { JsonObject } from '../../domain/item.ts';
import { asRecord, asText, type JsonRecord, wellFormedJson } from '../json.ts';

interface OpaqueEvent {
  /** Unique in the stream: `ModelDelta.item`. */
  readonly item: string;
  readonly event: JsonObject;
}

interface Known {
  readonly key: string;
  readonly type: string | undefined;
  readonly id: string | undefined;
  readonly index: number | undefined;
  isDone: boolean;
}

export class OpaqueItems {
  readonly #items: Known[] = [];

  added(item: JsonRecord, body: JsonRecord): OpaqueEvent {
    return { item: this.#add(item, body['output_index']).key, event: wellFormed({ ...body, type: 'response.output_item.added' }) };
  }

  /** Without a beginning it is one that comes whole. */
  done(item: JsonRecord, body: JsonRecord): OpaqueEvent | undefined {
    const known = this.#find(item['id'], body['output_index'], item['type']) ?? this.#placed(item, body['output_index']);
    return this.#end(known ?? this.#add(item, body['output_index']), body);
  }

  #end(known: Known, body: JsonRecord): OpaqueEvent | undefined {
    if (known.isDone) return undefined;
    known.isDone = true;
    return { item: known.key, event: wellFormed({ ...body, type: 'response.output_item.done' }) };
  }

  /** An item of the whole response: what the stream has not told of it. */
  whole(item: JsonRecord, index: number): OpaqueEvent | undefined {
    const known = this.#find(item['id'], index, item['type']) ?? this.#placed(item, index, true);
    return this.#end(known ?? this.#add(item, index), { item, output_index: index });
  }

  /** The item of this type at this place, under another id: some servers make a new one for each event. */
  #placed(item: JsonRecord, index: unknown, mayBeDone = false): Known | undefined {
    if (typeof index !== 'number') return undefined;
    return this.#items.findLast((known) => known.index === index && known.type === item['type'] && (mayBeDone || !known.isDone));
  }

  /** An event with a name of its own. */
  read(body: JsonRecord): OpaqueEvent | undefined {
    const known = this.#find(body['item_id'], body['output_index']);
    return known === undefined || known.isDone ? undefined : { item: known.key, event: wellFormed(body) };
  }

  #add(item: JsonRecord, index: unknown): Known {
    const known: Known = {
      key: `opaque ${this.#items.length}`,
      type: asText(item['type']),
      id: asText(item['id']),
      index: typeof index === 'number' ? index : undefined,
      isDone: false,
    };
    this.#items.push(known);
    return known;
  }

  #find(id: unknown, index: unknown, type?: unknown): Known | undefined {
    const items = type === undefined ? this.#items : this.#items.filter((item) => item.type === type);
    const named = asText(id);
    if (named !== undefined) {
      const byId = items.findLast((item) => item.id === named);
      if (byId !== undefined) return byId;
    }
    return typeof index === 'number'
      ? items.findLast((item) => item.index === index && (item.id === undefined || named === undefined))
      : undefined;
  }
}

/** Half a character within a text would go out as it is, and be refused when it comes back. */
function wellFormed(body: JsonRecord): JsonObject {
  return asRecord(JSON.parse(wellFormedJson(body))) as JsonObject;
}

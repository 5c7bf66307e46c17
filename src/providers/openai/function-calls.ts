/** The function calls of a Responses stream, and which of them an event is about, whatever it says of that. */
import { asWord, type JsonRecord } from '../json.ts';
import { notThisApi } from '../http/sse.ts';

export interface FunctionCall {
  /** Tells the calls of one answer apart. */
  readonly item: string;
  readonly callId: string;
  readonly name: string;
  hasArguments: boolean;
}

export class FunctionCalls {
  readonly #calls: FunctionCall[] = [];
  /** By item id and by output index, whichever the events carry. */
  readonly #byKey = new Map<string, FunctionCall>();

  get count(): number {
    return this.#calls.length;
  }

  /** The call that this item is. Its place alone says so only where it has no call id: some servers number them all 0. */
  find(item: JsonRecord, outputIndex: unknown): FunctionCall | undefined {
    const callId = asWord(item['call_id']);
    if (callId !== undefined) return this.#calls.find((call) => call.callId === callId);
    return this.#byKeys(keysOf(item['id'], outputIndex));
  }

  /** Throws `ProviderError` for a call without a name. */
  add(item: JsonRecord, outputIndex: unknown): FunctionCall {
    const name = asWord(item['name']);
    if (name === undefined) throw notThisApi('tool_call_without_name');
    const callId = asWord(item['call_id']) ?? asWord(item['id']) ?? `call_${crypto.randomUUID()}`;
    const call = { item: `call ${this.count}`, callId, name, hasArguments: false };
    this.#calls.push(call);
    for (const key of keysOf(item['id'], outputIndex)) this.#byKey.set(key, call);
    return call;
  }

  /** The call that an event names, the last one if it names none. Throws `ProviderError` if there is none at all. */
  addressed(event: JsonRecord): FunctionCall {
    const call = this.#byKeys(keysOf(event['item_id'], event['output_index'])) ?? this.#calls.at(-1);
    if (call === undefined) throw notThisApi('arguments_without_call');
    return call;
  }

  #byKeys(keys: readonly string[]): FunctionCall | undefined {
    for (const key of keys) {
      const call = this.#byKey.get(key);
      if (call !== undefined) return call;
    }
    return undefined;
  }
}

function keysOf(id: unknown, outputIndex: unknown): readonly string[] {
  const byId = asWord(id);
  return [...(byId === undefined ? [] : [`id ${byId}`]), ...(typeof outputIndex === 'number' ? [`index ${outputIndex}`] : [])];
}

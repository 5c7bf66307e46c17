/** The calls of functions and custom tools of a Responses stream, found by whichever of their ids and indexes an event carries. */
import type { JsonObject } from '../../domain/item.ts';
import { protocolError } from '../failures/model-failure.ts';
import { asText, type JsonRecord, parseJson } from '../json.ts';
import { decodedArguments, isWorkers } from './call-arguments.ts';
import { type NewId, newIds } from './new-ids.ts';
import { restOf } from './said-texts.ts';

export interface FunctionCall {
  /** Unique in the stream: `ModelDelta.item`. */
  readonly item: string;
  /** undefined until it is said: some servers say it with the end of the item. So is the name. */
  callId: string | undefined;
  name: string | undefined;
  /** A call is shown with its final id and name, or not yet. */
  isShown: boolean;
  readonly isCustom: boolean;
  /** What the item has beside its own members, such as its `namespace`. */
  members: JsonObject;
  /** The arguments, or the input, so far. */
  said: string;
  /** Of the item that it came with. */
  readonly key: Key;
}

interface Key {
  readonly id: string | undefined;
  readonly index: unknown;
}

const ownMembers = new Set(['id', 'type', 'status', 'call_id', 'name', 'arguments', 'input', 'provider_fields', 'created_by']);

export class FunctionCalls {
  readonly #calls: FunctionCall[] = [];
  /** By item id and by output index, whichever the events carry. */
  readonly #byKey = new Map<string, FunctionCall>();
  readonly #clientFunctions: ReadonlySet<string> | undefined;
  readonly #newId: NewId;

  /** @param clientFunctions see `ModelRequest` */
  constructor(clientFunctions?: ReadonlySet<string>, newId: NewId = newIds()) {
    this.#clientFunctions = clientFunctions;
    this.#newId = newId;
  }

  get all(): readonly FunctionCall[] {
    return this.#calls;
  }

  /**
   * The call of this item. Its output index is only trusted where it has no call id: some servers number all calls 0. A call
   * of the same id is another one where both item id and index say so: some servers give an item a new id with each event.
   */
  find(item: JsonRecord, outputIndex: unknown): FunctionCall | undefined {
    const callId = asText(item['call_id']);
    const key = { id: asText(item['id']), index: outputIndex };
    const ofId = callId === undefined ? [] : this.#calls.filter((call) => call.callId === callId);
    const same = key.id === undefined ? undefined : ofId.find((call) => call.key.id === key.id);
    const known = same ?? ofId.findLast((call) => !isOther(call.key, key));
    if (callId === undefined || known !== undefined) return known ?? this.#findByKeys(keysOf(item['id'], outputIndex));
    // The call id came late, or is another one with the end of the item.
    return (
      this.#calls.find((call) => isSameItem(call.key, key)) ??
      this.#calls.find(({ callId: none, key: { index } }) => none === undefined && index === outputIndex)
    );
  }

  /** Takes in the id and the name of a call that is not shown yet. */
  learn(call: FunctionCall, { call_id: callId, name }: JsonRecord): void {
    if (call.isShown) return;
    call.callId = asText(callId) ?? call.callId;
    call.name = asText(name) ?? call.name;
  }

  /** Takes in what an item has beside its own members. @returns whether that says something new */
  addMembers(call: FunctionCall, item: JsonRecord): boolean {
    const members = { ...call.members, ...membersOf(item) };
    if (JSON.stringify(members) === JSON.stringify(call.members)) return false;
    call.members = members;
    return true;
  }

  /** What is missing at the end of the answer. Throws `ProviderError` for a call without a name. */
  settle(call: FunctionCall): void {
    if (call.name === undefined) throw protocolError('tool_call_without_name');
    call.callId ??= call.key.id ?? this.#newId('call');
  }

  /** Throws `ProviderError` for arguments that are no JSON, where a client would have to parse them (T8). */
  requireReadable({ name = '', members: { namespace }, said }: FunctionCall): void {
    if (parseJson(said) === undefined && !isWorkers({ name, namespace }, this.#clientFunctions)) throw protocolError('tool_call_arguments');
  }

  add(item: JsonRecord, outputIndex: unknown): FunctionCall {
    const [name, callId] = [asText(item['name']), asText(item['call_id'])];
    const isCustom = item['type'] === 'custom_tool_call';
    const members = membersOf(item);
    const key = { id: asText(item['id']), index: outputIndex };
    const call = { item: `call ${this.#calls.length}`, callId, name, isShown: false, isCustom, members, said: '', key };
    this.#calls.push(call);
    for (const key of keysOf(item['id'], outputIndex)) this.#byKey.set(key, call);
    return call;
  }

  /** The call that an event carries an id or index of, else the last one. */
  addressedBy(event: JsonRecord): FunctionCall | undefined {
    return this.#findByKeys(keysOf(event['item_id'], event['output_index'])) ?? this.#calls.at(-1);
  }

  #findByKeys(keys: readonly string[]): FunctionCall | undefined {
    for (const key of keys) {
      const call = this.#byKey.get(key);
      if (call !== undefined) return call;
    }
    return undefined;
  }
}

function membersOf(item: JsonRecord): JsonObject {
  return Object.fromEntries(Object.entries(item).filter(([key, value]) => !ownMembers.has(key) && value !== null)) as JsonObject;
}

/** What the whole arguments, or the whole input, have beyond what was said. @throws ProviderError as `restOf` */
export function restOfCall({ said, isCustom }: FunctionCall, whole: unknown): string {
  const text = typeof whole === 'string' ? whole : whole === undefined || whole === null ? '' : JSON.stringify(whole);
  if (!isCustom && said !== '' && !text.startsWith(said) && isSameJson(said, text)) return '';
  return restOf(said, text);
}

/** Servers write the arguments anew for the done event, or encode them twice there. */
function isSameJson(one: string, other: string): boolean {
  const value = parseJson(decodedArguments(one) ?? one);
  return value !== undefined && JSON.stringify(value) === JSON.stringify(parseJson(decodedArguments(other) ?? other));
}

function isSameItem(one: Key, two: Key): boolean {
  return one.id !== undefined && one.id === two.id && (one.index === two.index || one.index === undefined || two.index === undefined);
}

function isOther(one: Key, two: Key): boolean {
  const haveBoth = one.id !== undefined && two.id !== undefined && typeof one.index === 'number' && typeof two.index === 'number';
  return haveBoth && one.id !== two.id && one.index !== two.index;
}

function keysOf(id: unknown, outputIndex: unknown): readonly string[] {
  const byId = asText(id);
  return [...(byId === undefined ? [] : [`id ${byId}`]), ...(typeof outputIndex === 'number' ? [`index ${outputIndex}`] : [])];
}

/**
 * Parses a Responses stream. Strict about the finish, lenient in the rest: servers leave out sequence numbers and indexes, deltas,
 * or the whole of an item. What a done event tells beyond the deltas is a last delta. Items that turnkeep does not know, and their
 * events, are passed on as they came.
 */
import type { JsonObject } from '../../domain/item.ts';
import { type ModelDelta, type ModelEvent, type ModelFinish, startsStep } from '../../domain/model.ts';
import { failureOfStreamError, readErrorBody } from '../failures/error-body.ts';
import { modelFailure, protocolError, safeDetail } from '../failures/model-failure.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { ProviderError } from '../provider.ts';
import { type FunctionCall, FunctionCalls, restOfCall } from './function-calls.ts';
import type { NewId } from './new-ids.ts';
import { OpaqueItems } from './opaque-items.ts';
import { ResponsesTexts } from './responses-texts.ts';
import { StreamParser } from './stream-parser.ts';
import { isMoreTelling, readUsage } from './usage.ts';
import { charsOf, WholeMessages } from './whole-messages.ts';
import { wholeIn } from './whole-characters.ts';

const incompleteReasons = new Map([
  ['max_output_tokens', 'max_output_tokens'],
  ['max_tokens', 'max_output_tokens'],
  ['content_filter', 'content_filter'],
]);

/** Of an item of which nothing may be shown. */
const charsOfEntry = 100;

export class ResponsesParser extends StreamParser {
  readonly #calls: FunctionCalls;
  readonly #opaque = new OpaqueItems();
  readonly #shown = new WholeMessages({
    show: (delta, out) => {
      if (isKept(delta)) out.push({ type: 'delta', delta: wholeIn(delta) });
      else this.emitDelta(delta, out);
    },
    wait: (delta) => {
      this.keepWaiting(charsOfEntry + charsOf(delta), startsStep(delta));
    },
  });
  readonly #texts = new ResponsesTexts(this.#shown);

  /** @param clientFunctions see `ModelRequest` */
  constructor(maxHeld?: number, clientFunctions?: ReadonlySet<string>, newId?: NewId) {
    super(maxHeld);
    this.#calls = new FunctionCalls(clientFunctions, newId);
  }

  protected readBody(body: JsonRecord, name: string | undefined, out: ModelEvent[]): void {
    const type = asText(body['type']) ?? name ?? '';
    this.checkApi(type.startsWith('response.'), Array.isArray(body['choices']) ? 'chat' : undefined);
    this.serviceTier = asText(asRecord(body['response'])?.['service_tier']) ?? this.serviceTier;
    if (this.#texts.read(type, body, out)) return;
    switch (type) {
      case 'response.output_item.added':
        this.#readAdded(asRecord(body['item']) ?? {}, body, out);
        return;
      case 'response.output_item.done':
        this.#readDone(asRecord(body['item']) ?? {}, body, out);
        return;
      case 'response.output_text.annotation.added':
        this.#texts.readAnnotation(this.#texts.partOf('text', body, out), body['annotation'], out);
        return;
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta': {
        const call = this.#calls.addressedBy(body);
        if (call === undefined) throw protocolError('arguments_without_call');
        this.#emitCall(call, asText(body['delta']) ?? '', out);
        return;
      }
      case 'response.function_call_arguments.done':
      case 'response.custom_tool_call_input.done': {
        // Of a call that only the end of its item shows.
        const call = this.#calls.addressedBy(body);
        if (call === undefined) return;
        this.#calls.learn(call, body);
        this.#emitRest(call, body['arguments'] ?? body['input'], out);
        return;
      }
      case 'response.in_progress':
        this.#readUsage(asRecord(body['response']) ?? {});
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#end(type, body, out);
        return;
      case 'response.created':
      case 'response.queued':
      case 'response.content_part.added':
      case 'response.content_part.done':
      case 'response.reasoning_summary_part.added':
      case 'response.reasoning_summary_part.done':
      case 'response.reasoning_part.added':
      case 'response.reasoning_part.done':
        return;
      default:
        if (type.startsWith('response.')) this.#emitOpaque(this.#opaque.read({ ...body, type }), out);
    }
  }

  #readAdded(item: JsonRecord, body: JsonRecord, out: ModelEvent[]): void {
    const type = asText(item['type']);
    const { output_index: index } = body;
    this.hold(charsOfEntry);
    if (type === 'message') this.#texts.beginMessage(item, index, out);
    else if (type === 'reasoning') this.#texts.beginThought(item, index);
    else if (isCall(type)) this.#callOf(item, index, out);
    else if (type !== undefined) this.#emitOpaque(this.#opaque.added(item, body), out);
  }

  #readDone(item: JsonRecord, body: JsonRecord, out: ModelEvent[]): void {
    const type = asText(item['type']);
    const { output_index: index } = body;
    this.hold(charsOfEntry);
    if (type === 'message') {
      this.#texts.endMessage(item, index, out);
    } else if (type === 'reasoning') {
      this.#texts.endThought(item, index, out);
    } else if (isCall(type)) {
      const call = this.#callOf(item, index, out);
      this.#emitRest(call, item['arguments'] ?? item['input'], out);
      this.#settle(call, out);
    } else if (type !== undefined) {
      this.#emitOpaque(this.#opaque.done(item, body), out);
    }
  }

  #end(type: string, body: JsonRecord, out: ModelEvent[]): void {
    const response = asRecord(body['response']) ?? {};
    const status = asText(response['status']);
    this.#readUsage(response);
    if (type === 'response.failed' || status === 'failed') {
      throw new ProviderError(failureOfStreamError(readErrorBody(asRecord(response['error']) ?? asRecord(body['error']) ?? {})));
    }
    const { reason } = asRecord(response['incomplete_details']) ?? {};
    const isIncomplete = type === 'response.incomplete' || status === 'incomplete';
    // Without a reason it is still certain that the response is not complete.
    const why = isIncomplete ? incompleteReasons.get(asText(reason) ?? 'max_output_tokens') : undefined;
    if (isIncomplete && why === undefined) {
      throw new ProviderError(modelFailure('provider_protocol', { detail: `incomplete_reason=${safeDetail(String(reason))}` }));
    }
    this.#emitMissing(asArray(response['output']), out);
    const finish: ModelFinish = why === undefined ? { status: 'completed' } : { status: 'incomplete', reason: why };
    if (finish.status === 'completed') this.#completeCalls(out);
    this.#shown.release(out);
    this.emitFinish(finish, out);
    this.isOver = true;
  }

  /** Clients parse the arguments of a call: no answer is complete with some that are no JSON (T8). */
  #completeCalls(out: ModelEvent[]): void {
    for (const call of this.#calls.all) {
      this.#settle(call, out);
      if (call.isCustom) continue;
      if (call.said.trim() === '') this.#emitCall(call, '{}', out);
      else this.#calls.requireReadable(call);
    }
  }

  /** What only the whole response holds: some servers send no deltas, and some not all. */
  #emitMissing(output: readonly unknown[], out: ModelEvent[]): void {
    const items = output.map((each) => asRecord(each) ?? {});
    if (!this.hasOutput && this.#calls.all.length === 0) {
      // Nothing of it was shown: in its order, as if each item came by itself.
      this.#texts.readThoughts(items, true, out);
      const isNew = (item: JsonRecord): boolean => item['type'] !== 'reasoning' || !this.#texts.hasThoughts;
      for (const [index, item] of items.entries()) if (isNew(item)) this.#readDone(item, { output_index: index }, out);
      return;
    }
    this.#texts.readThoughts(items, false, out);
    this.#texts.readMissing(items, out);
    const told = new Set<FunctionCall>();
    for (const [index, item] of items.entries()) {
      const type = asText(item['type']);
      if (isCall(type)) {
        // Two calls of an answer may have one id.
        const known = this.#calls.all.find((call) => call.callId === item['call_id'] && !told.has(call)) ?? this.#twinOf(item, items);
        const call = known ?? this.#callOf(item, undefined, out);
        told.add(call);
        if (this.#calls.addMembers(call, item)) this.#emitCall(call, '', out);
        this.#emitRest(call, item['arguments'] ?? item['input'], out);
      } else if (type !== undefined && type !== 'message' && type !== 'reasoning') {
        this.#emitOpaque(this.#opaque.whole(item, index), out);
      }
    }
  }

  /** The call as the stream knew it, where the whole response has given its calls other ids. */
  #twinOf(item: JsonRecord, items: readonly JsonRecord[]): FunctionCall | undefined {
    const calls = items.filter((each) => isCall(asText(each['type'])));
    const twin = calls.length === this.#calls.all.length ? this.#calls.all[calls.indexOf(item)] : undefined;
    return twin?.name === item['name'] ? twin : undefined;
  }

  #readUsage(response: JsonRecord): void {
    const usage = readUsage(response['usage']);
    if (usage !== undefined && (this.usage === undefined || isMoreTelling(usage, this.usage))) this.usage = usage;
  }

  /** The call of an item; emits its name if it is new. */
  #callOf(item: JsonRecord, outputIndex: unknown, out: ModelEvent[]): FunctionCall {
    const call = this.#calls.find(item, outputIndex) ?? this.#calls.add(item, outputIndex);
    this.#calls.learn(call, item);
    if (this.#calls.addMembers(call, item) || !call.isShown) this.#emitCall(call, '', out);
    return call;
  }

  /** Shows the call as soon as its id and its name are known, with what was said of it before. */
  #emitCall(call: FunctionCall, piece: string, out: ModelEvent[]): void {
    const { item, callId, name, isCustom, members, isShown } = call;
    const more = Object.keys(members).length === 0 ? {} : { members };
    call.said += piece;
    if (callId === undefined || name === undefined) {
      this.hold(charsOfEntry + piece.length);
      return;
    }
    const text = isShown ? piece : call.said;
    call.isShown = true;
    this.#texts.placeThoughts(out);
    this.#shown.put(item, { type: 'tool_call', item, callId, name, text, ...(isCustom ? { isCustom: true } : {}), ...more }, out);
  }

  #emitRest(call: FunctionCall, whole: unknown, out: ModelEvent[]): void {
    const rest = restOfCall(call, whole);
    if (rest !== '') this.#emitCall(call, rest, out);
  }

  /** Shows a call whose id will not come any more. Throws `ProviderError` for one without a name. */
  #settle(call: FunctionCall, out: ModelEvent[]): void {
    if (call.isShown) return;
    this.#calls.settle(call);
    this.#emitCall(call, '', out);
  }

  /** A call that was begun is shown, however the stream ends: it has started the step (T2). */
  override release(out: ModelEvent[]): void {
    for (const call of this.#calls.all) if (call.name !== undefined) this.#settle(call, out);
    this.#shown.release(out);
  }

  protected override requireFit(): void {
    for (const call of this.#calls.all) this.#calls.settle(call);
  }

  #emitOpaque(found: { readonly item: string; readonly event: JsonObject } | undefined, out: ModelEvent[]): void {
    if (found === undefined) return;
    this.#texts.placeThoughts(out);
    this.#shown.put(found.item, { type: 'opaque', text: '', ...found }, out);
  }
}

function isCall(type: string | undefined): boolean {
  return type === 'function_call' || type === 'custom_tool_call';
}

/** What shows nothing by itself. */
function isKept({ type }: ModelDelta): boolean {
  return type === 'message' || type === 'annotation' || type === 'encrypted_reasoning';
}

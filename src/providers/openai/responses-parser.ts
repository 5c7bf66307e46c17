/** Parses a Responses stream. Strict about the finish, lenient in the rest: servers leave out sequence numbers and indexes. */
import type { ModelEvent } from '../../domain/model.ts';
import { failureOfStreamError, readErrorBody } from '../failures/error-body.ts';
import { modelFailure, safeDetail } from '../failures/model-failure.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { ProviderError } from '../provider.ts';
import { type FunctionCall, FunctionCalls } from './function-calls.ts';
import { StreamParser } from './stream-parser.ts';
import { isMoreTelling, readUsage } from './usage.ts';

const textEvents = {
  'response.output_text.delta': 'text',
  'response.refusal.delta': 'refusal',
  'response.reasoning_text.delta': 'reasoning',
  'response.reasoning.delta': 'reasoning',
  'response.reasoning_summary_text.delta': 'reasoning',
} as const;

const incompleteReasons = new Map([
  ['max_output_tokens', 'max_output_tokens'],
  ['max_tokens', 'max_output_tokens'],
  ['content_filter', 'content_filter'],
]);

export class ResponsesParser extends StreamParser {
  readonly #calls = new FunctionCalls();
  #hasMessage = false;
  /** `ModelDelta.item` of the last delta of the reasoning item that is not done yet. */
  #reasoning: string | undefined;
  #encryptedCount = 0;

  protected readBody(body: JsonRecord, name: string | undefined, out: ModelEvent[]): void {
    const type = asText(body['type']) ?? name ?? '';
    this.checkApi(type.startsWith('response.'), Array.isArray(body['choices']) ? 'chat' : undefined);
    this.serviceTier = asText(asRecord(body['response'])?.['service_tier']) ?? this.serviceTier;
    if (isTextEvent(type)) {
      this.#emitText(textEvents[type], asText(body['delta']) ?? '', partOf(body), out);
      return;
    }
    switch (type) {
      case 'response.output_item.added':
        this.#emitCallName(asRecord(body['item']), body['output_index'], out);
        return;
      case 'response.function_call_arguments.delta':
        this.#emitArguments(this.#calls.addressedBy(body), asText(body['delta']), out);
        return;
      case 'response.output_item.done': {
        const item = asRecord(body['item']);
        if (item?.['type'] === 'reasoning') this.#endReasoning(asText(item['encrypted_content']), out);
        this.#emitWholeArguments(this.#emitCallName(item, body['output_index'], out), item?.['arguments'], out);
        return;
      }
      case 'response.in_progress':
        this.#readUsage(asRecord(body['response']) ?? {});
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#end(type, asRecord(body['response']) ?? {}, out);
        return;
      default:
    }
  }

  #end(type: string, response: JsonRecord, out: ModelEvent[]): void {
    const status = asText(response['status']);
    this.#readUsage(response);
    if (type === 'response.failed' || status === 'failed') {
      throw new ProviderError(failureOfStreamError(readErrorBody(asRecord(response['error']) ?? {})));
    }
    const { reason } = asRecord(response['incomplete_details']) ?? {};
    const isIncomplete = type === 'response.incomplete' || status === 'incomplete';
    // Without a reason it is still certain that the response is not complete.
    const why = isIncomplete ? incompleteReasons.get(asText(reason) ?? 'max_output_tokens') : undefined;
    if (isIncomplete && why === undefined) {
      throw new ProviderError(modelFailure('provider_protocol', { detail: `incomplete_reason=${safeDetail(String(reason))}` }));
    }
    this.#emitMissing(asArray(response['output']), out);
    this.emitFinish(why === undefined ? { status: 'completed' } : { status: 'incomplete', reason: why }, out);
    this.isOver = true;
  }

  /** Some servers send no deltas: emits what only the whole response holds. */
  #emitMissing(output: readonly unknown[], out: ModelEvent[]): void {
    const lacks = { message: !this.#hasMessage, call: this.#calls.count === 0 };
    output.forEach((each, index) => {
      const item = asRecord(each) ?? {};
      if (item['type'] === 'message' && lacks.message) {
        asArray(item['content']).forEach((part, partIndex) => {
          const { text, refusal } = asRecord(part) ?? {};
          const at = `${index} ${partIndex}`;
          this.#emitText('text', asText(text) ?? '', at, out);
          this.#emitText('refusal', asText(refusal) ?? '', at, out);
        });
      } else if (item['type'] === 'function_call' && lacks.call) {
        this.#emitWholeArguments(this.#emitCallName(item, index, out), item['arguments'], out);
      }
    });
  }

  #emitText(type: 'text' | 'refusal' | 'reasoning', text: string, part: string | undefined, out: ModelEvent[]): void {
    if (text === '') return;
    if (type === 'reasoning') this.#reasoning = part ?? '';
    else this.#hasMessage = true;
    this.emitDelta(part === undefined ? { type, text } : { type, text, item: part }, out);
  }

  /** Items are sent one after the other, so the reasoning deltas since the last reasoning item ended belong to this one. */
  #endReasoning(encrypted: string | undefined, out: ModelEvent[]): void {
    const item = this.#reasoning ?? `encrypted ${(this.#encryptedCount += 1)}`;
    this.#reasoning = undefined;
    if (encrypted !== undefined) this.emitEncryptedReasoning({ type: 'encrypted_reasoning', item, text: encrypted }, out);
  }

  #readUsage(response: JsonRecord): void {
    const usage = readUsage(response['usage']);
    if (usage !== undefined && (this.usage === undefined || isMoreTelling(usage, this.usage))) this.usage = usage;
  }

  /** Returns the call of an item; emits its name if it is new. */
  #emitCallName(item: JsonRecord | undefined, outputIndex: unknown, out: ModelEvent[]): FunctionCall | undefined {
    if (item?.['type'] !== 'function_call') return undefined;
    const known = this.#calls.find(item, outputIndex);
    if (known !== undefined) return known;
    const call = this.#calls.add(item, outputIndex);
    const { item: name, callId } = call;
    this.emitDelta({ type: 'tool_call', item: name, callId, name: call.name, text: '' }, out);
    return call;
  }

  #emitArguments(call: FunctionCall, text: string | undefined, out: ModelEvent[]): void {
    if (text === undefined) return;
    call.hasArguments = true;
    this.emitDelta({ type: 'tool_call', item: call.item, callId: call.callId, name: call.name, text }, out);
  }

  /** Some servers send no deltas of arguments, only the whole ones when the call is done. */
  #emitWholeArguments(call: FunctionCall | undefined, text: unknown, out: ModelEvent[]): void {
    if (call !== undefined && !call.hasArguments) this.#emitArguments(call, asText(text), out);
  }
}

function isTextEvent(type: string): type is keyof typeof textEvents {
  return Object.hasOwn(textEvents, type);
}

/** `ModelDelta.item` of a text: another value begins a new part, as the provider did. */
function partOf(body: JsonRecord): string | undefined {
  const item = asText(body['item_id']) ?? body['output_index'];
  const part = body['content_index'] ?? body['summary_index'];
  if (item === undefined && part === undefined) return undefined;
  return JSON.stringify([item, part]);
}

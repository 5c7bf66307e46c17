/** The end of a turn as Chat Completions shows it (docs/decisions/0006-chat-completions-errors.md). Pure. */
import { type CallItem, type InputMessage, isCall, isWorkers, type Json, type OutputItem, type ReasoningItem } from '../../domain/item.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import type { BlockingResponse } from '../stream/serve-blocking.ts';
import { approvalWords, betweenSteps } from './approvals.ts';

export type Finish =
  | { readonly type: 'reason'; readonly reason: 'stop' | 'length' | 'content_filter' | 'tool_calls' | 'function_call' }
  | { readonly type: 'error'; readonly error: TurnError };

interface TurnError {
  readonly code: string;
  readonly message: string;
}

/** `chatcmpl-…` in place of `resp_…`. */
export function completionId(responseId: string): string {
  return `chatcmpl-${responseId.replace(/^resp_/, '')}`;
}

/** The `finish_reason` of the turn; an error where this API has none for it. */
export function finishOf({ status, error, incomplete_details, output }: ResponseObject, isLegacy: boolean): Finish {
  if (status === 'failed') {
    return { type: 'error', error: error ?? { code: 'internal_error', message: 'The turn failed.' } };
  }
  if (status === 'incomplete') {
    return { type: 'reason', reason: incomplete_details?.reason === 'content_filter' ? 'content_filter' : 'length' };
  }
  const calls = output.filter(isCall);
  if (status === 'cancelled') {
    // Clients run the calls they see: one that was cut off must not look complete.
    if (calls.length > 0)
      return { type: 'error', error: { code: 'cancelled', message: 'The turn was cancelled in the middle of a tool call.' } };
    return { type: 'reason', reason: 'stop' };
  }
  if (calls.length === 0) return { type: 'reason', reason: 'stop' };
  return { type: 'reason', reason: isLegacy ? 'function_call' : 'tool_calls' };
}

export function chatUsage({ usage }: ResponseObject): object | null {
  if (usage === null) return null;
  return {
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    total_tokens: usage.total_tokens,
    prompt_tokens_details: { cached_tokens: usage.input_tokens_details.cached_tokens },
    completion_tokens_details: { reasoning_tokens: usage.output_tokens_details.reasoning_tokens },
  };
}

interface CompletionForm {
  /** The request used `functions`, so a call is shown as `function_call`. */
  readonly isLegacy: boolean;
  /** Of a completion that is stored. */
  readonly metadata?: { readonly [key: string]: string } | undefined;
}

/**
 * @param reason what `finishOf` gives: a turn that ended in an error is no completion
 * @param metadata of a completion that is stored
 */
export function toCompletion(response: ResponseObject, reason: string, isLegacy: boolean, metadata?: CompletionForm['metadata']): object {
  return {
    id: completionId(response.id),
    object: 'chat.completion',
    created: response.created_at,
    model: response.model,
    choices: [
      {
        index: 0,
        message: assistantMessage(response.output, isLegacy, approvalWords(response)),
        logprobs: null,
        finish_reason: reason,
      },
    ],
    usage: chatUsage(response),
    service_tier: response['service_tier'] ?? 'default',
    system_fingerprint: null,
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The items of one answer as a message of the assistant. @param words what is said behind its text */
export function assistantMessage(answer: readonly (OutputItem | InputMessage)[], isLegacy: boolean, words = ''): object {
  const { text: said, refusal, reasoning, calls } = partsOf(answer);
  const text = said + (said === '' || words === '' ? '' : betweenSteps) + words;
  const [first] = calls;
  return {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || refusal !== '') ? null : text,
    refusal: refusal === '' ? null : refusal,
    annotations: [],
    ...reasoning,
    ...(isLegacy && first?.type === 'function' ? { function_call: first.function } : {}),
    ...(!isLegacy && calls.length > 0 ? { tool_calls: calls } : {}),
  };
}

/** A completion, or an error with a status: a completion has no field to show a failure in. */
export function blockingCompletion(response: ResponseObject, form: CompletionForm): BlockingResponse {
  const finish = finishOf(response, form.isLegacy);
  if (finish.type === 'reason') return { status: 200, body: toCompletion(response, finish.reason, form.isLegacy, form.metadata) };
  const { error } = finish;
  // Clients and proxies retry 408, 409, 429 and 5xx by themselves, but turnkeep has made the attempts that may be made.
  // So it is 424 (Failed Dependency), which none of them retries.
  return { status: error.code === tooLong ? 400 : 424, headers: { 'x-should-retry': 'false' }, body: { error: toChatError(error) } };
}

/** OpenAI's own code and type for a prompt that is too long: clients shorten theirs on seeing them. */
const tooLong = 'context_length_exceeded';

export function toChatError({ code, message }: TurnError): object {
  return { message, type: code === tooLong ? 'invalid_request_error' : 'server_error', param: null, code };
}

type ToolCall = (
  | { readonly type: 'function'; readonly function: { readonly name: string; readonly arguments: string } }
  | { readonly type: 'custom'; readonly custom: { readonly name: string; readonly input: string } }
) & {
  readonly id: string;
  /** The provider's own. */
  readonly [field: string]: Json;
};

function toolCallOf(item: CallItem): ToolCall {
  const { call_id: id, name, provider_fields } = item;
  return item.type === 'function_call'
    ? { ...provider_fields, id, type: 'function', function: { name, arguments: item.arguments } }
    : { ...provider_fields, id, type: 'custom', custom: { name, input: item.input } };
}

/**
 * Reasoning is always in the field that most clients read. Where the provider has it in another one, and wants it back in
 * that, it is in both: clients that keep what they got send it back as it is.
 */
export interface ReasoningFields {
  readonly reasoning_content?: string;
  readonly reasoning?: string;
  readonly reasoning_details?: readonly Json[];
}

function reasoningFields(thoughts: readonly ReasoningItem[]): ReasoningFields {
  const text = thoughts.map(({ summary }) => summary.map((part) => part.text).join('\n\n')).join('');
  const details = thoughts.flatMap(detailsOf);
  return {
    ...(text === '' ? {} : { reasoning_content: text, ...(thoughts.some(isInReasoning) ? { reasoning: text } : {}) }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
  };
}

export function isInReasoning({ provider_fields: fields }: ReasoningItem): boolean {
  return fields?.['field'] === 'reasoning' || fields?.['field'] === 'reasoning_details';
}

export function detailsOf({ provider_fields: fields }: ReasoningItem): readonly Json[] {
  return Array.isArray(fields?.['details']) ? fields['details'] : [];
}

interface Parts {
  readonly text: string;
  readonly refusal: string;
  readonly reasoning: ReasoningFields;
  readonly calls: readonly ToolCall[];
}

function partsOf(answer: readonly (OutputItem | InputMessage)[]): Parts {
  let text = '';
  let refusal = '';
  const thoughts: ReasoningItem[] = [];
  const calls: ToolCall[] = [];
  let hasCalledTools = false;
  for (const item of answer) {
    if (isWorkers(item)) hasCalledTools = true;
    if (isCall(item)) {
      calls.push(toolCallOf(item));
    } else if (item.type === 'reasoning') {
      thoughts.push(item);
    } else if (item.type === 'message') {
      if (hasCalledTools && text !== '') text += betweenSteps;
      hasCalledTools = false;
      for (const part of item.content) {
        if (part.type === 'refusal') refusal += part.refusal;
        else if ('text' in part) text += part.text;
      }
    }
  }
  return { text, refusal, reasoning: reasoningFields(thoughts), calls };
}

/**
 * What a chat provider means by its `finish_reason` (T8). Pure: a closed table of the words that are known of OpenAI, Anthropic,
 * Gemini, Mistral, Bedrock, Zhipu, DeepSeek, vLLM, SGLang and llama.cpp, in whatever case.
 */
import type { ModelFailure, ModelFinish } from '../../domain/model.ts';
import { modelFailure, safeDetail } from '../failures/model-failure.ts';
import { asRecord, asText } from '../json.ts';

export type FinishReasonResult = { readonly finish: ModelFinish } | { readonly failure: ModelFailure };

const completed = wordsOf(
  'stop tool_calls tool_call tool_use function_call function_calls eos eos_token end_turn end stop_sequence stop_token stop_str',
  'complete completed finish finished done eos_found end_of_turn',
);
const tooLong = wordsOf(
  'length max_tokens max_output_tokens max_new_tokens max_completion_tokens max_length model_length token_limit length_limit',
  'context_length model_context_window_exceeded context_window_exceeded incomplete',
);
const filtered = wordsOf(
  'content_filter content_filtered content_filtering filtered sensitive safety recitation blocklist prohibited_content spii',
  'image_safety language moderation blocked guardrail_intervened guardrail refusal risk_control',
);
/** Reasons of servers that gave up generating. */
const gaveUp = wordsOf(
  'error abort aborted cancelled canceled insufficient_system_resource network_error timeout overloaded internal_error server_error',
);
/** In words that no table has. */
const gaveUpWords = /overload|rate_?limit|too_many|unavailable|exhausted|(?:^|_)(?:error|fail(?:ed|ure)|timed?_?out|busy|crashed)(?:_|$)/;
/** Gemini throws away what its model wrote: there is no call to be read. */
const unreadable = wordsOf('malformed_function_call unexpected_tool_call');
/** Servers that fill the field before there is a reason. */
const none = wordsOf('null none undefined unspecified in_progress continue not_finished');

/**
 * undefined: no reason yet. A word that no table knows completes the answer, since the server states an end; it is noted in
 * `detail`.
 */
export function readFinishReason(value: unknown): FinishReasonResult | undefined {
  // An early form of OpenAI's: `{"type": "stop", "stop": "<|im_end|>"}`.
  const reason = asText(value) ?? asText(asRecord(value)?.['type']);
  if (reason === undefined) return undefined;
  const word = reason
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_')
    .replace(/^finish_?reason_/, '');
  if (none.has(word) || word === '') return undefined;
  if (completed.has(word)) return { finish: { status: 'completed' } };
  if (tooLong.has(word)) return { finish: { status: 'incomplete', reason: 'max_output_tokens' } };
  if (filtered.has(word)) return { finish: { status: 'incomplete', reason: 'content_filter' } };
  const detail = `finish_reason=${safeDetail(reason)}`;
  if (gaveUp.has(word) || gaveUpWords.test(word)) return { failure: modelFailure('provider_busy', { detail }) };
  if (unreadable.has(word)) return { failure: modelFailure('provider_protocol', { detail }) };
  return { finish: { status: 'completed', detail } };
}

function wordsOf(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}

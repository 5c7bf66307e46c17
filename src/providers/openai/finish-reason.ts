/** What a chat provider's `finish_reason` proves (T8). Pure; a closed table, as in retries. */
import type { ModelFailure, ModelFinish } from '../../domain/model.ts';
import { modelFailure, safeWord } from '../failures/model-failure.ts';

export type Finish = { readonly proof: ModelFinish } | { readonly failure: ModelFailure };

const completed = new Set(['stop', 'tool_calls', 'function_call', 'eos', 'eos_token', 'end_turn', 'stop_sequence']);
const incomplete: Readonly<Record<string, string>> = { length: 'max_output_tokens', content_filter: 'content_filter' };
/** Words by which a server says that it gave up. */
const gaveUp = new Set(['error', 'abort', 'insufficient_system_resource']);

export function readFinishReason(reason: string): Finish {
  if (completed.has(reason)) return { proof: { status: 'completed' } };
  const why = Object.hasOwn(incomplete, reason) ? incomplete[reason] : undefined;
  if (why !== undefined) return { proof: { status: 'incomplete', reason: why } };
  const detail = `finish_reason=${safeWord(reason)}`;
  return { failure: modelFailure(gaveUp.has(reason) ? 'provider_busy' : 'provider_protocol', { detail }) };
}

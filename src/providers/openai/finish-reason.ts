/** Which `finish_reason` of a chat provider ends a step well (T8). Pure; what the closed table does not know is a failure. */
import type { ModelFailure, ModelFinish } from '../../domain/model.ts';
import { modelFailure, safeDetail } from '../failures/model-failure.ts';

export type FinishReasonResult = { readonly finish: ModelFinish } | { readonly failure: ModelFailure };

const completed = new Set(['stop', 'tool_calls', 'function_call', 'eos', 'eos_token', 'end_turn', 'stop_sequence']);
const incomplete: Readonly<Record<string, string>> = { length: 'max_output_tokens', content_filter: 'content_filter' };
/** Reasons of servers that gave up generating. */
const gaveUp = new Set(['error', 'abort', 'insufficient_system_resource']);

export function readFinishReason(reason: string): FinishReasonResult {
  if (completed.has(reason)) return { finish: { status: 'completed' } };
  const why = Object.hasOwn(incomplete, reason) ? incomplete[reason] : undefined;
  if (why !== undefined) return { finish: { status: 'incomplete', reason: why } };
  const detail = `finish_reason=${safeDetail(reason)}`;
  return { failure: modelFailure(gaveUp.has(reason) ? 'provider_busy' : 'provider_protocol', { detail }) };
}

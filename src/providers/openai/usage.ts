/** Tokens as both APIs count them, in the words of the Responses API. A count that was not given is 0. */
import type { Usage } from '../../domain/response.ts';
import { asRecord } from '../json.ts';

/** Undefined unless it counts at least the input or the output. */
export function usageOf(value: unknown): Usage | undefined {
  const usage = asRecord(value);
  if (usage === undefined) return undefined;
  const input = usage['input_tokens'] ?? usage['prompt_tokens'];
  const output = usage['output_tokens'] ?? usage['completion_tokens'];
  if (typeof input !== 'number' && typeof output !== 'number') return undefined;
  const inputDetails = asRecord(usage['input_tokens_details'] ?? usage['prompt_tokens_details']);
  const outputDetails = asRecord(usage['output_tokens_details'] ?? usage['completion_tokens_details']);
  return {
    input_tokens: count(input),
    input_tokens_details: { cached_tokens: count(inputDetails?.['cached_tokens']) },
    output_tokens: count(output),
    output_tokens_details: { reasoning_tokens: count(outputDetails?.['reasoning_tokens']) },
    total_tokens: typeof usage['total_tokens'] === 'number' ? count(usage['total_tokens']) : count(input) + count(output),
  };
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

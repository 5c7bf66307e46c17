/** Reads the token counts of either API into the form of the Responses API. A count that is missing is 0. */
import type { Usage } from '../../domain/response.ts';
import { asRecord } from '../json.ts';

/** Undefined unless at least the input or the output is counted. */
export function readUsage(value: unknown): Usage | undefined {
  const usage = asRecord(value);
  if (usage === undefined) return undefined;
  const input = usage['input_tokens'] ?? usage['prompt_tokens'];
  const output = usage['output_tokens'] ?? usage['completion_tokens'];
  if (typeof input !== 'number' && typeof output !== 'number') return undefined;
  const inputDetails = asRecord(usage['input_tokens_details'] ?? usage['prompt_tokens_details']);
  const outputDetails = asRecord(usage['output_tokens_details'] ?? usage['completion_tokens_details']);
  return {
    input_tokens: countOf(input),
    input_tokens_details: { cached_tokens: countOf(inputDetails?.['cached_tokens']) },
    output_tokens: countOf(output),
    output_tokens_details: { reasoning_tokens: countOf(outputDetails?.['reasoning_tokens']) },
    total_tokens: typeof usage['total_tokens'] === 'number' ? countOf(usage['total_tokens']) : countOf(input) + countOf(output),
  };
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Reads the token counts of either API into the form of the Responses API. A count that is missing is 0. */
import type { Usage } from '../../domain/response/response.ts';
import { asRecord } from '../json.ts';

/** Undefined unless at least the input or the output is counted. */
export function readUsage(value: unknown): Usage | undefined {
  const usage = asRecord(value);
  if (usage === undefined) return undefined;
  const input = countOf(usage['input_tokens'] ?? usage['prompt_tokens']);
  const output = countOf(usage['output_tokens'] ?? usage['completion_tokens']);
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = asRecord(usage['input_tokens_details'] ?? usage['prompt_tokens_details']);
  const outputDetails = asRecord(usage['output_tokens_details'] ?? usage['completion_tokens_details']);
  // Beside OpenAI's names those of DeepSeek, Moonshot and xAI.
  const cached = inputDetails?.['cached_tokens'] ?? usage['prompt_cache_hit_tokens'] ?? usage['cached_tokens'];
  const reasoning = outputDetails?.['reasoning_tokens'] ?? usage['reasoning_tokens'];
  const sum = (input ?? 0) + (output ?? 0);
  return {
    input_tokens: input ?? 0,
    input_tokens_details: { cached_tokens: countOf(cached) ?? 0 },
    output_tokens: output ?? 0,
    output_tokens_details: { reasoning_tokens: countOf(reasoning) ?? 0 },
    total_tokens: countOf(usage['total_tokens']) || sum,
  };
}

/** Whether the counts are to replace earlier ones: servers send placeholders before they have counted, and after. */
export function isMoreTelling(usage: Usage, earlier: Usage): boolean {
  return usage.output_tokens > 0 || (earlier.output_tokens === 0 && usage.input_tokens > 0);
}

/** 0 for a number that cannot be a count. */
function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof count !== 'number') return undefined;
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

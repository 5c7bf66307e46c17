/** Asks a provider of the Responses API how many tokens a request would bring it. */
import type { ModelRequest } from '../../domain/model.ts';
import { protocolError } from '../failures/model-failure.ts';
import { asRecord, parseJson, omitNullish } from '../json.ts';
import { type JsonRequest, requestJson } from './json-request.ts';
import { responsesRequest } from './responses-request.ts';

const longestCount = 65_536;

/** Throws as `requestJson` does. @returns undefined where the server counts no tokens */
export async function countTokens(
  options: Omit<JsonRequest, 'path' | 'body' | 'maxChars' | 'callbacks'>,
  request: ModelRequest,
  isOpenAiHost: boolean,
): Promise<number | undefined> {
  const { model, input, instructions, tools, tool_choice, parallel_tool_calls, reasoning, text, truncation } = responsesRequest(
    request,
    isOpenAiHost,
  );
  const counted = { instructions, tools, tool_choice, parallel_tool_calls, reasoning, text, truncation };
  const body = { model, input, ...omitNullish(counted) };
  return requestJson({ ...options, path: '/responses/input_tokens', body, maxChars: longestCount, callbacks: {} }, (json) => {
    const count = asRecord(parseJson(json))?.['input_tokens'];
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) throw protocolError('no_token_count');
    return count;
  });
}

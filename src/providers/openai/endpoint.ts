/** The address of an API of OpenAI's kind, and the headers that each request to it carries. Nothing is read from the environment. */
import { modelFailure } from '../failures/model-failure.ts';
import type { OutgoingRequest } from '../http/connection.ts';
import { jsonPieces } from '../http/json-pieces.ts';
import { ProviderError } from '../provider.ts';

/** Sent when no key is configured: many local servers need none, and some want the header. */
export const noKey = 'none';

export const openAiBaseUrl = 'https://api.openai.com/v1';

export interface Endpoint {
  readonly baseUrl: string;
  readonly apiKey: string;
}

/**
 * @param path below the base URL, such as `/models`
 * @throws ProviderError `provider_rejected` for a base URL that is none, or has a user or password: they would be sent to
 * nobody; `context_length_exceeded` for a body that is longer than a string can be (512 MB)
 */
export async function requestTo({ baseUrl, apiKey }: Endpoint, path: string, body?: object): Promise<Omit<OutgoingRequest, 'signal'>> {
  const url = URL.parse(baseUrl);
  if (url === null) throw new ProviderError(modelFailure('provider_rejected', { detail: 'ERR_INVALID_URL' }));
  if (url.username !== '' || url.password !== '')
    throw new ProviderError(modelFailure('provider_rejected', { detail: 'url_with_credentials' }));
  url.pathname = url.pathname.replace(/\/+$/, '') + path;
  const headers = { accept: 'application/json', authorization: `Bearer ${apiKey}`, 'user-agent': 'turnkeep' };
  if (body === undefined) return { method: 'GET', url, headers };
  return { method: 'POST', url, headers: { ...headers, 'content-type': 'application/json' }, body: await jsonOf(body) };
}

async function jsonOf(body: object): Promise<readonly Uint8Array[]> {
  try {
    return await jsonPieces({ ...body });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProviderError(modelFailure('context_length_exceeded', { detail: 'prompt_too_long' }));
  }
}

/** Whether OpenAI's own models are behind this: its host, a regional one of theirs, or Azure's. */
export function isOpenAi(baseUrl: string): boolean {
  return URL.canParse(baseUrl) && /(?:^|\.)openai(?:\.azure)?\.com$/.test(new URL(baseUrl).hostname);
}

/**
 * Whether the server takes members of messages and calls that OpenAI does not have: reasoning, signatures. Most ignore what
 * they do not know; these refuse the request ("Extra inputs are not permitted", "property 'reasoning_content' is unsupported"),
 * also where a client has the field from another server, or from here.
 */
export function takesOwnFields(baseUrl: string): boolean {
  return !isOpenAi(baseUrl) && !(URL.canParse(baseUrl) && /(?:^|\.)(?:mistral\.ai|groq\.com)$/.test(new URL(baseUrl).hostname));
}

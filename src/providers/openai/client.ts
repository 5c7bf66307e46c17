/** The `openai` client without its own retries, deadlines, log and reading of the environment: turnkeep decides all of these. */
import OpenAI from 'openai';
import type { Connection } from '../http/connection.ts';

/** Sent when no key is configured: many local servers need none, but the client throws without one. */
export const noKey = 'none';

export const openAiBaseUrl = 'https://api.openai.com/v1';

const silent = (): void => {};

export interface ClientOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly connection: Connection;
}

export function openAiClient({ baseUrl, apiKey, connection }: ClientOptions): OpenAI {
  return new OpenAI({
    baseURL: baseUrl,
    apiKey,
    // null, not undefined: for undefined options the client reads the environment.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: 2_147_483_647,
    // OPENAI_LOG=debug would print prompts (T11).
    logLevel: 'off',
    logger: { error: silent, warn: silent, info: silent, debug: silent },
    fetch: connection.fetch,
  });
}

/** Whether this is OpenAI's own host, or a regional one of theirs. */
export function isOpenAi(baseUrl: string): boolean {
  return URL.canParse(baseUrl) && /(?:^|\.)openai\.com$/.test(new URL(baseUrl).hostname);
}

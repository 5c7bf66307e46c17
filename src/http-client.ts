/**
 * `turnkeep/http-client`: a gateway's API over HTTP, with streams that outlive broken connections. Safe in any bundle: it runs
 * in browsers, and needs `fetch` and one small parser.
 *
 * @example
 *     import { GatewayClient, streamResponse } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     for await (const update of streamResponse(client, { input: 'Hello' })) {
 *       if (update.type === 'event') console.log(update.event.delta ?? '');
 *     }
 */
export { CallError, type CallFailure, describeFailure } from './http-client/call-error.ts';
export { type Fetch, GatewayClient, type GatewayClientOptions, type StreamItem } from './http-client/calls.ts';
export { outcomeOf, type ResponseOutcome, type StreamEvent } from './http-client/events.ts';
export { cancelResponse, resumeResponse, type StreamOptions, streamResponse, type StreamUpdate } from './http-client/resume.ts';
export { type Retry, type RetryOptions, withRetries } from './http-client/retry.ts';

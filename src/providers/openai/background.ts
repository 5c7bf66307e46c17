/**
 * Background mode of the Responses API: the provider answers by itself, whether anybody listens or not, and keeps what it says.
 * So an answer can be read on after its connection broke, by another process too, and has to be stopped by a request.
 */
import type { ModelEvent, ModelRequest } from '../../domain/model.ts';
import type { Connection, OutgoingRequest } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { type BackgroundCallbacks, type BackgroundResponses, defaultMaxOutputBytes, type ProviderLimits } from '../provider.ts';
import { type Endpoint, requestTo } from './endpoint.ts';
import { keptResponse } from './kept-response.ts';
import { ResponsesParser } from './responses-parser.ts';
import { responsesRequest } from './responses-request.ts';
import { streamResponse } from './stream-response.ts';

export interface BackgroundOptions {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  readonly limits: ProviderLimits;
  readonly isOpenAiHost: boolean;
}

/** For a request that nobody waits for, all in all. */
const cancelTimeoutMs = 5_000;

/** What an event may have beside the answer. */
const besideAnswerBytes = 8 * 1_024 * 1_024;

export function backgroundResponses({ endpoint, connection, limits, isOpenAiHost }: BackgroundOptions): BackgroundResponses {
  const maxEventBytes = (limits.maxOutputBytes ?? defaultMaxOutputBytes) + besideAnswerBytes;
  const stream = (
    request: () => Promise<Omit<OutgoingRequest, 'signal' | 'maySend'>>,
    signal: AbortSignal,
    callbacks: BackgroundCallbacks,
    id?: string,
  ): AsyncIterable<ModelEvent> => {
    const requestBehind = async (response: string, after: number) => {
      const next = await requestTo(endpoint, pathOf(response));
      next.url.search = `?stream=true&starting_after=${after}`;
      return next;
    };
    const kept = keptResponse({ connection, requestBehind, callbacks, maxEventBytes, ...(id === undefined ? {} : { id }) });
    const parser = new ResponsesParser(limits.maxOutputBytes);
    return streamResponse({ parser, connection: kept, request, limits, signal, callbacks, apiKey: endpoint.apiKey });
  };
  return {
    start: (request, signal, callbacks) =>
      stream(() => requestTo(endpoint, '/responses', inBackground(request, isOpenAiHost)), signal, callbacks),
    readOn: (id, signal, callbacks) =>
      stream(
        async () => {
          const request = await requestTo(endpoint, pathOf(id));
          request.url.search = '?stream=true';
          return request;
        },
        signal,
        callbacks,
        id,
      ),
    async cancel(id) {
      const patience = AbortSignal.timeout(cancelTimeoutMs);
      const request = await requestTo(endpoint, `${pathOf(id)}/cancel`, {});
      using exchange = new HttpExchange(limits, patience);
      const { body } = await connection.send({ ...request, signal: exchange.signal });
      exchange.attachBody(body);
      exchange.releaseBody();
    },
  };
}

function pathOf(id: string): string {
  return `/responses/${encodeURIComponent(id)}`;
}

/** Kept by the provider: without that there is nothing to read on. */
function inBackground(request: ModelRequest, isOpenAiHost: boolean): object {
  return { ...responsesRequest(request, isOpenAiHost), background: true, store: true };
}

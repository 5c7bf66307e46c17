/**
 * Background mode of the Responses API: the provider answers by itself, whether anybody listens or not, and keeps what it says.
 * So an answer can be read on after its connection broke, by another process too, and has to be stopped by a request.
 */
import type { ModelEvent, ModelFailure, ModelRequest } from '../../domain/model.ts';
import type { Connection, OutgoingRequest } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { type BackgroundCallbacks, type BackgroundResponses, defaultMaxOutputBytes, type ProviderLimits } from '../provider.ts';
import { type Endpoint, requestTo } from './endpoint.ts';
import { keptResponse } from './kept-response.ts';
import type { LearnedForms } from './learned-forms.ts';
import { newIds } from './new-ids.ts';
import { ResponsesParser } from './responses-parser.ts';
import { responsesRequest } from './responses-request.ts';
import { streamResponse } from './stream-response.ts';

export interface BackgroundOptions {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  readonly limits: ProviderLimits;
  readonly isOpenAiHost: boolean;
  readonly forms: LearnedForms;
}

/** For a request that nobody waits for, all in all. */
const cancelTimeoutMs = 5_000;

/** What an event may have beside the answer. */
const besideAnswerBytes = 8 * 1_024 * 1_024;

interface Reading {
  readonly request: () => Promise<Omit<OutgoingRequest, 'signal' | 'maySend'>>;
  /** What it answers. */
  readonly asked: Pick<ModelRequest, 'clientFunctions' | 'ids'>;
  readonly signal: AbortSignal;
  readonly callbacks: BackgroundCallbacks;
  readonly id?: string;
  readonly onFailure?: (failure: ModelFailure) => void;
}

export function backgroundResponses({ endpoint, connection, limits, isOpenAiHost, forms }: BackgroundOptions): BackgroundResponses {
  const maxEventBytes = (limits.maxOutputBytes ?? defaultMaxOutputBytes) + besideAnswerBytes;
  const stream = ({ request, asked, signal, callbacks, id, onFailure }: Reading): AsyncIterable<ModelEvent> => {
    const requestBehind = async (response: string, after: number) => {
      const next = await requestTo(endpoint, pathOf(response));
      next.url.searchParams.set('stream', 'true');
      next.url.searchParams.set('starting_after', String(after));
      return next;
    };
    const kept = keptResponse({ connection, requestBehind, callbacks, maxEventBytes, ...(id === undefined ? {} : { id }) });
    const parser = new ResponsesParser(limits.maxOutputBytes, asked.clientFunctions, newIds(asked.ids));
    const learning = onFailure === undefined ? {} : { onFailure };
    return streamResponse({ parser, connection: kept, request, limits, signal, callbacks, apiKey: endpoint.apiKey, ...learning });
  };
  return {
    start: (asked, signal, callbacks) => {
      const { model } = asked.settings;
      return stream({
        request: () => requestTo(endpoint, '/responses', inBackground(responsesRequest(asked, isOpenAiHost, forms.of(model)))),
        asked,
        signal,
        callbacks,
        onFailure: (failure) => {
          forms.learn(model, failure);
        },
      });
    },
    readOn: (id, asked, signal, callbacks) => {
      const request = async () => {
        const next = await requestTo(endpoint, pathOf(id));
        next.url.searchParams.set('stream', 'true');
        return next;
      };
      return stream({ request, asked, signal, callbacks, id });
    },
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
function inBackground(request: object): object {
  return { ...request, background: true, store: true };
}

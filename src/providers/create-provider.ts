/** A `Provider` that speaks one of OpenAI's two streaming APIs, over connections of its own. */
import { type Connection, openConnection } from './http/connection.ts';
import { backgroundResponses } from './openai/background.ts';
import { takersOfText } from './openai/call-arguments.ts';
import { ChatParser } from './openai/chat-parser.ts';
import { callableTools } from '../domain/agents/tools.ts';
import { CallNames } from './openai/chat-tools.ts';
import { compact } from './openai/compact.ts';
import { countTokens } from './openai/count-tokens.ts';
import { chatRequest } from './openai/chat-request.ts';
import { isOpenAi, noKey, openAiBaseUrl, requestTo, takesOwnFields } from './openai/endpoint.ts';
import { LearnedForms } from './openai/learned-forms.ts';
import { listModels } from './openai/list-models.ts';
import { newIds } from './openai/new-ids.ts';
import { ResponsesParser } from './openai/responses-parser.ts';
import { responsesRequest } from './openai/responses-request.ts';
import { translatedCalls } from './openai/translated-calls.ts';
import { streamResponse } from './openai/stream-response.ts';
import type { Provider, ProviderLimits } from './provider.ts';

export interface ProviderOptions {
  /** Which of the two APIs the server speaks. */
  readonly api: 'chat' | 'responses';
  /** OpenAI's own by default. The environment is never read. */
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly limits: ProviderLimits;
  /** Answers are asked for in background mode, and read on where their connection broke. For `responses` alone. */
  readonly reattach?: boolean | undefined;
  /** Instead of connections of its own. */
  readonly connection?: Connection;
}

/**
 * A provider for a server that speaks one of OpenAI's two APIs.
 *
 * @example
 *     import { createProvider } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits } = readConfig({ env: process.env });
 *     const provider = createProvider({ api: 'chat', baseUrl: 'http://127.0.0.1:11434/v1', limits });
 *     await provider.close();
 */
export function createProvider({ api, limits, reattach, ...options }: ProviderOptions): Provider {
  const endpoint = { baseUrl: options.baseUrl || openAiBaseUrl, apiKey: options.apiKey || noKey };
  const { apiKey } = endpoint;
  const connection = options.connection ?? openConnection(limits);
  const isOpenAiHost = isOpenAi(endpoint.baseUrl);
  const hasOwnFields = takesOwnFields(endpoint.baseUrl);
  const forms = new LearnedForms(endpoint.baseUrl);
  const stream: Provider['stream'] = (request, signal, callbacks = {}) => {
    const names = new CallNames(callableTools(request));
    const {
      settings: { model },
      clientFunctions,
      ids,
    } = request;
    const { maxOutputBytes } = limits;
    const events = streamResponse({
      parser:
        api === 'chat'
          ? new ChatParser(names.all, names.functions, maxOutputBytes, takersOfText(names, clientFunctions), newIds(ids))
          : new ResponsesParser(maxOutputBytes, clientFunctions, newIds(ids)),
      connection,
      request: () =>
        api === 'chat'
          ? requestTo(endpoint, '/chat/completions', chatRequest(request, isOpenAiHost, hasOwnFields, forms.of(model)))
          : requestTo(endpoint, '/responses', responsesRequest(request, isOpenAiHost, forms.of(model))),
      limits,
      signal,
      callbacks,
      apiKey,
      onFailure: (failure) => {
        forms.learn(model, failure);
      },
    });
    return api === 'chat' && names.hasTranslated ? translatedCalls(events, names, maxOutputBytes) : events;
  };
  return {
    api,
    ...(reattach === true && api === 'responses'
      ? { background: backgroundResponses({ endpoint, connection, limits, isOpenAiHost, forms }) }
      : {}),
    stream: (request, signal, callbacks = {}) => {
      const { compacts } = request.settings;
      if (compacts === undefined) return stream(request, signal, callbacks);
      const own = api === 'chat' || compacts === 'in_words' ? undefined : { endpoint, connection, limits, signal, callbacks };
      return compact(request, { own, isOpenAiHost, stream: (asked) => stream(asked, signal, callbacks) });
    },
    countTokens: async (request, signal) =>
      api === 'chat' ? undefined : countTokens({ endpoint, connection, limits, signal }, request, isOpenAiHost),
    listModels: (signal) => listModels({ endpoint, connection, limits, signal }),
    close: () => connection.close(),
  };
}

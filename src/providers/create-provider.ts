/** A provider that speaks one of OpenAI's two streaming APIs, over connections of its own. */
import { ChatAnswer } from './openai-chat.ts';
import { chatRequest } from './chat-request.ts';
import { isOpenAi, noKey, openAiBaseUrl, openAiClient } from './client.ts';
import { openConnection } from './connection.ts';
import { listModels } from './list-models.ts';
import { ResponsesAnswer } from './openai-responses.ts';
import type { Provider, ProviderLimits } from './provider.ts';
import { responsesRequest } from './responses-request.ts';
import { streamAnswer } from './stream-answer.ts';

export interface ProviderOptions {
  /** Which of the two APIs the server speaks. */
  readonly api: 'chat' | 'responses';
  /** OpenAI's own by default. The environment is never looked at. */
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly limits: ProviderLimits;
}

export function createProvider({ api, limits, ...options }: ProviderOptions): Provider {
  const baseUrl = options.baseUrl || openAiBaseUrl;
  const apiKey = options.apiKey || noKey;
  const connection = openConnection(limits);
  const client = openAiClient({ baseUrl, apiKey, connection });
  const isOpenAiHost = isOpenAi(baseUrl);
  return {
    stream: (request, signal, notes = {}) =>
      streamAnswer({
        answer: api === 'chat' ? new ChatAnswer() : new ResponsesAnswer(),
        send: async (callSignal) => {
          const options = { signal: callSignal };
          const sent =
            api === 'chat'
              ? client.chat.completions.create(chatRequest(request, isOpenAiHost), options)
              : client.responses.create(responsesRequest(request), options);
          const response = await sent.asResponse();
          return { headers: response.headers, body: connection.bodyOf(response) };
        },
        limits,
        signal,
        notes,
        apiKey,
      }),
    listModels: (signal) => listModels({ client, connection, apiKey, limits, signal }),
    close: () => connection.close(),
  };
}

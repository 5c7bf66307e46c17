/** A prompt as a request of the Responses API. Pure. Nothing is stored there: the transcript is ours. */
import type { ResponseCreateParamsStreaming, ResponseInputItem } from 'openai/resources/responses/responses';
import type { ModelRequest } from '../domain/model.ts';
import { type Item, textOf, toolOutputText } from '../domain/item.ts';

/** The two penalties are Open Responses' own. */
type Request = ResponseCreateParamsStreaming & { presence_penalty?: number; frequency_penalty?: number };

export function responsesRequest({ settings, items }: ModelRequest): Request {
  const { model, instructions, temperature, top_p, presence_penalty, frequency_penalty, max_output_tokens, user } = settings;
  return {
    model,
    input: items.flatMap(inputOf),
    stream: true,
    store: false,
    ...(instructions === null ? {} : { instructions }),
    ...(temperature === null ? {} : { temperature }),
    ...(top_p === null ? {} : { top_p }),
    ...(presence_penalty === null ? {} : { presence_penalty }),
    ...(frequency_penalty === null ? {} : { frequency_penalty }),
    ...(max_output_tokens === null ? {} : { max_output_tokens }),
    ...(user === null ? {} : { user }),
  };
}

/** Without ids: ours mean nothing to the provider, and one it does not know is an error to it. */
function inputOf(item: Item): ResponseInputItem[] {
  switch (item.type) {
    case 'message':
      return [{ type: 'message', role: item.role, content: textOf(item) }];
    case 'function_call':
      return [{ type: 'function_call', call_id: item.call_id, name: item.name, arguments: item.arguments }];
    case 'function_call_output':
      return [{ type: 'function_call_output', call_id: item.call_id, output: toolOutputText(item) }];
    case 'reasoning':
      return [];
    default:
      return item satisfies never;
  }
}

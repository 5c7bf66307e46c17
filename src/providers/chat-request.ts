/** A prompt as a Chat Completions request. Pure. */
import type {
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
  ChatCompletionMessageFunctionToolCall,
} from 'openai/resources/chat/completions';
import type { ModelRequest } from '../domain/model.ts';
import { type Item, textOf, toolOutputText } from '../domain/item.ts';

export function chatRequest({ settings, items }: ModelRequest, isOpenAiHost: boolean): ChatCompletionCreateParamsStreaming {
  const { model, instructions, temperature, top_p, presence_penalty, frequency_penalty, max_output_tokens, user } = settings;
  const system: ChatCompletionMessageParam[] = instructions === null ? [] : [{ role: 'system', content: instructions }];
  return {
    model,
    messages: [...system, ...messagesOf(items)],
    stream: true,
    stream_options: { include_usage: true },
    ...(temperature === null ? {} : { temperature }),
    ...(top_p === null ? {} : { top_p }),
    ...(presence_penalty === null ? {} : { presence_penalty }),
    ...(frequency_penalty === null ? {} : { frequency_penalty }),
    // Other servers know only the old name, OpenAI's newer models only the new one.
    ...(max_output_tokens === null ? {} : { [isOpenAiHost ? 'max_completion_tokens' : 'max_tokens']: max_output_tokens }),
    ...(user === null ? {} : { user }),
  };
}

function messagesOf(items: readonly Item[]): ChatCompletionMessageParam[] {
  const messages: ChatCompletionMessageParam[] = [];
  for (const item of items) {
    switch (item.type) {
      case 'message':
        // `developer` is a role of OpenAI's alone; `system` is known everywhere.
        messages.push({ role: item.role === 'developer' ? 'system' : item.role, content: textOf(item) });
        break;
      case 'function_call':
        addCall(messages, { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } });
        break;
      case 'function_call_output':
        messages.push({ role: 'tool', tool_call_id: item.call_id, content: toolOutputText(item) });
        break;
      case 'reasoning':
        break;
      default:
        return item satisfies never;
    }
  }
  return messages;
}

/** The calls of one answer are one message, the text before them its content. */
function addCall(messages: ChatCompletionMessageParam[], call: ChatCompletionMessageFunctionToolCall): void {
  const last = messages.at(-1);
  if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call];
  else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
}

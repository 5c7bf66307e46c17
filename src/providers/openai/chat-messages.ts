/** A transcript as the messages of Chat Completions. Pure. */
import type {
  ChatCompletionContentPart,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type { InputMessage, InputPart, Item, MessagePart } from '../../domain/item.ts';
import { omitNullish } from './omit-nullish.ts';
import { placeholderText } from './placeholder-text.ts';

type Part = InputPart | MessagePart;

export function messagesOf(items: readonly Item[]): ChatCompletionMessageParam[] {
  const messages: ChatCompletionMessageParam[] = [];
  for (const item of items) {
    switch (item.type) {
      case 'message':
        messages.push(messageOf(item));
        break;
      case 'function_call':
        addCall(messages, { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } });
        break;
      case 'function_call_output':
        messages.push({
          role: 'tool',
          tool_call_id: item.call_id,
          content: typeof item.output === 'string' ? item.output : asText(item.output),
        });
        break;
      case 'reasoning':
        // Chat servers expect the reasoning of earlier answers to be left out.
        break;
      default:
        return item satisfies never;
    }
  }
  return messages;
}

function messageOf({ role, content }: InputMessage): ChatCompletionMessageParam {
  // `developer` is a role of OpenAI's alone; `system` is known everywhere.
  if (role !== 'user') return { role: role === 'developer' ? 'system' : role, content: asText(content) };
  const parts = content.map(partOf);
  // Many servers know texts only; whoever sends an image has one that knows more.
  return { role, content: parts.every(({ type }) => type === 'text') ? asText(content) : parts };
}

function partOf(part: Part): ChatCompletionContentPart {
  if (part.type === 'input_image' && part.image_url !== undefined && part.file_id === undefined) {
    // `auto` is what an image without it gets, and not every server knows the word.
    const detail = part.detail === 'auto' ? {} : { detail: part.detail };
    return { type: 'image_url', image_url: { url: part.image_url, ...detail } };
  }
  if (part.type === 'input_file' && part.file_url === undefined) {
    const { filename, file_data, file_id } = part;
    return { type: 'file', file: omitNullish({ filename, file_data, file_id }) };
  }
  return { type: 'text', text: textOfPart(part) };
}

function asText(parts: readonly Part[]): string {
  return parts.map(textOfPart).join('');
}

/** A refusal is what the assistant said: as text, for few servers have another place for it. */
function textOfPart(part: Part): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_image' || part.type === 'input_file' ? placeholderText(part) : part.text;
}

/** The calls of one answer are one message, the text before them its content. */
function addCall(messages: ChatCompletionMessageParam[], call: ChatCompletionMessageFunctionToolCall): void {
  const last = messages.at(-1);
  if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call];
  else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
}

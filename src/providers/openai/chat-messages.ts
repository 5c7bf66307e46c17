/** Turns the items of a conversation into the messages of Chat Completions. Pure. */
import type {
  ChatCompletionContentPart,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type { InputMessage, InputPart, Item, MessagePart } from '../../domain/item.ts';
import { omitNullish, placeholderText } from './request-parts.ts';

type Part = InputPart | MessagePart;

export function chatMessages(items: readonly Item[]): ChatCompletionMessageParam[] {
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
          content: typeof item.output === 'string' ? item.output : joinedText(item.output),
        });
        break;
      case 'reasoning':
        // Chat servers expect the reasoning of earlier turns to be left out.
        break;
      default:
        return item satisfies never;
    }
  }
  return messages;
}

function messageOf({ role, content }: InputMessage): ChatCompletionMessageParam {
  // Only OpenAI knows the role `developer`; every server knows `system`.
  if (role !== 'user') return { role: role === 'developer' ? 'system' : role, content: joinedText(content) };
  const parts = content.map(partOf);
  // Many servers take content only as a string: parts are sent only where there is an image or a file.
  return { role, content: parts.every(({ type }) => type === 'text') ? joinedText(content) : parts };
}

function partOf(part: Part): ChatCompletionContentPart {
  if (part.type === 'input_image' && part.image_url !== undefined && part.file_id === undefined) {
    // `auto` is the default, and not every server knows the value.
    const detail = part.detail === 'auto' ? {} : { detail: part.detail };
    return { type: 'image_url', image_url: { url: part.image_url, ...detail } };
  }
  if (part.type === 'input_file' && part.file_url === undefined) {
    const { filename, file_data, file_id } = part;
    return { type: 'file', file: omitNullish({ filename, file_data, file_id }) };
  }
  return { type: 'text', text: textOfPart(part) };
}

function joinedText(parts: readonly Part[]): string {
  return parts.map(textOfPart).join('');
}

/** A refusal becomes text: few servers take it in any other form. */
function textOfPart(part: Part): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_image' || part.type === 'input_file' ? placeholderText(part) : part.text;
}

/** The tool calls of one step belong into one message, together with the text before them. */
function addCall(messages: ChatCompletionMessageParam[], call: ChatCompletionMessageFunctionToolCall): void {
  const last = messages.at(-1);
  if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call];
  else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
}

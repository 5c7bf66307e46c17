/** Turns the items of a conversation into the `input` of the Responses API. Pure. */
import type {
  EasyInputMessage,
  ResponseFunctionCallOutputItem,
  ResponseInputItem,
  ResponseInputMessageContentList,
} from 'openai/resources/responses/responses';
import type { InputMessage, InputPart, Item, MessagePart } from '../../domain/item.ts';
import { unsealFields } from '../../domain/sealed-fields.ts';
import { sendableArguments, sendableCallId, sendableName } from './earlier-calls.ts';
import { omitNullish, placeholderText } from './request-parts.ts';

type Part = InputPart | MessagePart;
type Content = ResponseInputMessageContentList[number] & ResponseFunctionCallOutputItem;

/** Ids are left out: they are ours, and the provider rejects ids that it does not know. */
export function responsesInputOf(item: Item, isOpenAiHost: boolean): ResponseInputItem[] {
  switch (item.type) {
    case 'message':
      return [messageOf(item)];
    case 'function_call':
      return [
        {
          type: 'function_call',
          call_id: sendableCallId(item.call_id, isOpenAiHost),
          name: sendableName(item.name, isOpenAiHost),
          arguments: sendableArguments(item.arguments),
        },
      ];
    case 'function_call_output': {
      const { output } = item;
      const call_id = sendableCallId(item.call_id, isOpenAiHost);
      return [{ type: 'function_call_output', call_id, output: typeof output === 'string' ? output : output.map(contentOf) }];
    }
    case 'reasoning': {
      // With `store: false` the provider can only read its reasoning from the encrypted content.
      const { encrypted_content, summary } = item;
      // llama.cpp sends an empty string for none.
      if (encrypted_content === undefined || encrypted_content === '' || unsealFields(encrypted_content) !== undefined) return [];
      return [{ type: 'reasoning', summary: [...summary], encrypted_content } as ResponseInputItem];
    }
    default:
      return item satisfies never;
  }
}

/** A message of texts alone is sent as a string, the form that every server takes. */
function messageOf({ role, content }: InputMessage): ResponseInputItem {
  const texts = content.map((part) => (part.type === 'input_text' || part.type === 'output_text' ? part.text : undefined));
  if (texts.every((text) => text !== undefined)) return { type: 'message', role, content: texts.join('') };
  if (role !== 'assistant') return { type: 'message', role, content: content.map(contentOf) };
  return { type: 'message', role, content: content.map(assistantContentOf) } as ResponseInputItem;
}

function contentOf(part: Part): Content {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'input_text', text: part.text };
    case 'refusal':
      return { type: 'input_text', text: part.refusal };
    case 'input_image': {
      const { detail, image_url, file_id } = part;
      return { type: 'input_image', detail, ...omitNullish({ image_url, file_id }) };
    }
    case 'input_file': {
      const { filename, file_data, file_id, file_url } = part;
      return { type: 'input_file', ...omitNullish({ filename, file_data, file_id, file_url }) };
    }
    default:
      return part satisfies never;
  }
}

function assistantContentOf(part: Part): { type: 'output_text'; text: string; annotations: [] } | { type: 'refusal'; refusal: string } {
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.refusal };
  const text = part.type === 'input_image' || part.type === 'input_file' ? placeholderText(part) : part.text;
  return { type: 'output_text', text, annotations: [] };
}

/** Messages of one role in a row become one: many chat templates demand that roles alternate. An empty answer says nothing. */
export function joinRoles(input: readonly ResponseInputItem[]): ResponseInputItem[] {
  const joined: ResponseInputItem[] = [];
  for (const item of input) {
    const message = messageIn(item);
    const last = messageIn(joined.at(-1));
    if (message?.role === 'assistant' && message.content === '') continue;
    if (message === undefined) {
      joined.push(item);
    } else if (last?.role !== message.role) {
      joined.push({ ...message });
    } else if (typeof last.content === 'string' && typeof message.content === 'string') {
      last.content += `\n\n${message.content}`;
    } else {
      last.content = partsOf(last);
      for (const part of partsOf(message)) last.content.push(part);
    }
  }
  return joined;
}

function messageIn(item: ResponseInputItem | undefined): EasyInputMessage | undefined {
  return item !== undefined && 'type' in item && item.type === 'message' ? (item as EasyInputMessage) : undefined;
}

function partsOf({ role, content }: EasyInputMessage): ResponseInputMessageContentList {
  if (typeof content !== 'string') return content;
  const part = role === 'assistant' ? { type: 'output_text', text: content, annotations: [] } : { type: 'input_text', text: content };
  return [part as ResponseInputMessageContentList[number]];
}

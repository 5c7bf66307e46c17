/** Turns the items of a conversation into the `input` of the Responses API. Pure. */
import type {
  ResponseFunctionCallOutputItem,
  ResponseInputItem,
  ResponseInputMessageContentList,
} from 'openai/resources/responses/responses';
import { givenIdOf, type InputMessage, type InputPart, type Item, type Json, type MessagePart, textOf } from '../../domain/item.ts';
import { unsealFields } from '../../domain/prompt/sealed-fields.ts';
import { sendableArguments, sendableCallId, sendableName } from './earlier-calls.ts';
import { placeholderText } from '../../domain/prompt/in-words.ts';

type Part = InputPart | MessagePart;
type Content = ResponseInputMessageContentList[number] & ResponseFunctionCallOutputItem;

/** Ids of ours are left out: the provider rejects ids that it does not know. */
export function responsesInputOf(item: Item, isOpenAiHost: boolean): ResponseInputItem[] {
  switch (item.type) {
    case 'message':
      // An empty answer says nothing, and servers refuse it.
      return item.role === 'assistant' && textOf(item) === '' ? [] : [messageOf(item)];
    case 'function_call':
      return [
        {
          ...toldMembers(item),
          type: 'function_call',
          call_id: sendableCallId(item.call_id, isOpenAiHost),
          name: sendableName(item.name, isOpenAiHost),
          arguments: sendableArguments(item.arguments),
        },
      ];
    case 'custom_tool_call':
      return [
        {
          ...toldMembers(item),
          type: 'custom_tool_call',
          call_id: sendableCallId(item.call_id, isOpenAiHost),
          name: sendableName(item.name, isOpenAiHost),
          input: item.input,
        },
      ];
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const call_id = sendableCallId(item.call_id, isOpenAiHost);
      const output = typeof item.output === 'string' ? item.output : item.output.map(contentOf);
      return [{ ...toldMembers(item), type: item.type, call_id, output }];
    }
    case 'reasoning': {
      // With `store: false` the provider can only read its reasoning from the encrypted content.
      const { encrypted_content, summary } = item;
      // llama.cpp sends an empty string for none.
      if (encrypted_content === undefined || encrypted_content === '' || unsealFields(encrypted_content) !== undefined) return [];
      return [{ ...toldMembers(item), type: 'reasoning', summary: [...summary], encrypted_content } as ResponseInputItem];
    }
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default: {
      const { id: _id, ...rest } = item;
      const id = givenIdOf(item);
      return [(id === undefined ? rest : item) as ResponseInputItem];
    }
  }
}

/** What an item has beside the members that every provider is told: as it came (`namespace`, `caller`, `phase`). */
function toldMembers(item: Item): object {
  const { id: _ours, status: _known, provider_fields: _ofChat, ...members } = item as Item & { readonly provider_fields?: unknown };
  return members;
}

/** A message of texts alone is sent as a string, the form that every server takes. */
function messageOf(item: InputMessage): ResponseInputItem {
  const { role } = item;
  return { ...toldMembers(item), type: 'message', role, content: messageContentOf(item) } as ResponseInputItem;
}

function messageContentOf({ role, content }: InputMessage): string | object[] {
  const texts = content.map((part) => (isPlain(part) ? part.text : undefined));
  if (texts.every((text) => text !== undefined)) return texts.join('');
  return content.map((part) => (role === 'assistant' ? assistantContentOf(part) : contentOf(part)));
}

function contentOf(part: Part): Content {
  switch (part.type) {
    case 'input_text':
      return { ...part };
    case 'output_text':
      return { type: 'input_text', text: part.text };
    case 'refusal':
      return { type: 'input_text', text: part.refusal };
    case 'input_image':
    case 'input_file':
      return { ...part };
    default:
      return part satisfies never;
  }
}

/** A text that has its sources, or a mark of the client's, is sent as a part. */
function isPlain(part: Part): part is Part & { readonly text: string } {
  if (part.type === 'output_text') return part.annotations.length === 0;
  return part.type === 'input_text' && Object.keys(part).length === 2;
}

function assistantContentOf(part: Part): { type: 'output_text'; text: string; annotations: Json[] } | { type: 'refusal'; refusal: string } {
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.refusal };
  const text = part.type === 'input_image' || part.type === 'input_file' ? placeholderText(part) : part.text;
  return { type: 'output_text', text, annotations: part.type === 'output_text' ? [...part.annotations] : [] };
}

/** The messages of a chat as items of a transcript. Pure. */
import type { InputPart, MessagePart, NewItem, ProviderFields } from '../../domain/item.ts';
import type { ChatMessage } from './message-schema.ts';

/** The items of each message, in order. An empty message has none. */
export function chatItems(messages: readonly ChatMessage[]): readonly (readonly NewItem[])[] {
  // A `function_call` has no id: the outputs that follow belong to the last one.
  let legacyCalls = 0;
  return messages.map((message): readonly NewItem[] => {
    switch (message.role) {
      case 'system':
      case 'developer':
      case 'user':
        return [{ type: 'message', status: 'completed', role: message.role, content: inputParts(message.content) }];
      case 'assistant':
        if (message.function_call != null) legacyCalls += 1;
        return assistantItems(message, legacyCallId(legacyCalls));
      case 'tool':
        return [outputItem(message.tool_call_id, message.content)];
      case 'function':
        return [outputItem(legacyCallId(legacyCalls), message.content ?? '')];
      default:
        return message satisfies never;
    }
  });
}

function legacyCallId(count: number): string {
  return `call_function${count}`;
}

type AssistantMessage = ChatMessage & { readonly role: 'assistant' };

function assistantItems(message: AssistantMessage, legacyId: string): NewItem[] {
  const { content, refusal, tool_calls: toolCalls, function_call: functionCall } = message;
  const parts: MessagePart[] = [];
  if (typeof content === 'string') parts.push(...(content === '' ? [] : [outputText(content)]));
  else for (const part of content ?? []) parts.push(part.type === 'refusal' ? part : outputText(part.text));
  if (refusal != null && refusal !== '') parts.push({ type: 'refusal', refusal });
  return [
    ...reasoningItems(message),
    ...(parts.length === 0 ? [] : [{ type: 'message', status: 'completed', role: 'assistant', content: parts } as const]),
    ...(toolCalls ?? []).map(toolCallItem),
    ...(functionCall == null ? [] : [callItem(legacyId, functionCall)]),
  ];
}

/** It goes back to the provider in the field that it stands in: see `completion.ts` for what is given out. */
function reasoningItems({ reasoning_content, reasoning, reasoning_details: details }: AssistantMessage): NewItem[] {
  const hasDetails = details != null && details.length > 0;
  const text = reasoning || reasoning_content || '';
  if (text === '' && !hasDetails) return [];
  const field = reasoning ? 'reasoning' : reasoning_content ? 'reasoning_content' : 'reasoning_details';
  return [
    {
      type: 'reasoning',
      status: 'completed',
      summary: text === '' ? [] : [{ type: 'summary_text', text }],
      provider_fields: { field, ...(hasDetails ? { details } : {}) },
    },
  ];
}

function toolCallItem(call: NonNullable<AssistantMessage['tool_calls']>[number]): NewItem {
  if (call.type === 'function') {
    const { id, function: called, type: _type, index: _index, ...fields } = call;
    return callItem(id, called, fields);
  }
  const { id: call_id, custom, type: _type, index: _index, ...fields } = call;
  const item = { type: 'custom_tool_call', status: 'completed', call_id, name: custom.name, input: custom.input } as const;
  return Object.keys(fields).length === 0 ? item : { ...item, provider_fields: fields };
}

function callItem(
  id: string,
  { name, arguments: text }: { readonly name: string; readonly arguments: string },
  provider_fields: ProviderFields = {},
): NewItem {
  const item = { type: 'function_call', status: 'completed', call_id: id, name, arguments: text } as const;
  return Object.keys(provider_fields).length === 0 ? item : { ...item, provider_fields };
}

function outputItem(call_id: string, content: string | readonly { readonly text: string }[]): NewItem {
  const output = typeof content === 'string' ? content : content.map((part) => part.text).join('');
  return { type: 'function_call_output', status: 'completed', call_id, output };
}

function outputText(text: string): MessagePart {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function inputParts(content: (ChatMessage & { role: 'user' })['content']): readonly InputPart[] {
  if (typeof content === 'string') return [{ type: 'input_text', text: content }];
  return content.map((part): InputPart => {
    if (part.type === 'text') return { type: 'input_text', text: part.text };
    if (part.type === 'file') return fileOf(part.file);
    return { type: 'input_image', detail: part.image_url.detail ?? 'auto', image_url: part.image_url.url };
  });
}

function fileOf({
  filename,
  file_data,
  file_id,
}: {
  filename?: string | undefined;
  file_data?: string | undefined;
  file_id?: string | undefined;
}): InputPart {
  return {
    type: 'input_file',
    ...(filename === undefined ? {} : { filename }),
    ...(file_data === undefined ? {} : { file_data }),
    ...(file_id === undefined ? {} : { file_id }),
  };
}

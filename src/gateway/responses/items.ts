/** The items of a request as they are taken in. Pure. */
import type { InputPart, NewItem } from '../../domain/item.ts';
import type { SubmittedItem } from '../../client/submission.ts';
import type { HandItemBody, InputItemBody, inputPart } from './item-schema.ts';
import type { z } from 'zod';

type PartBody = Exclude<Extract<HandItemBody, { role: unknown }>['content'], string>[number];
type MessagePart = Extract<NewItem, { type: 'message' }>['content'][number];

export function inputOf(input: string | readonly InputItemBody[]): SubmittedItem[] {
  if (typeof input === 'string') return [newItem({ role: 'user', content: input })];
  return input.map((item) => (item.type === 'item_reference' ? item : newItem(item)));
}

export function newItem(body: HandItemBody): NewItem {
  switch (body.type) {
    case 'function_call':
      return { type: 'function_call', status: 'completed', call_id: body.call_id, name: body.name, arguments: body.arguments };
    case 'function_call_output': {
      const output = typeof body.output === 'string' ? body.output : body.output.map(partOf);
      return { type: 'function_call_output', status: 'completed', call_id: body.call_id, output };
    }
    case 'reasoning': {
      const { summary, encrypted_content } = body;
      return { type: 'reasoning', status: 'completed', summary, ...(encrypted_content == null ? {} : { encrypted_content }) };
    }
    case 'message':
    case undefined: {
      const parts = typeof body.content === 'string' ? [{ type: 'input_text', text: body.content } as const] : body.content;
      const content = parts.map((part) => (body.role === 'assistant' ? saidByModel(part) : saidToModel(part)));
      return { type: 'message', status: body.status ?? 'completed', role: body.role, content };
    }
    default:
      return body satisfies never;
  }
}

/** An assistant's text is output, whatever the client calls it. */
function saidByModel(part: PartBody): MessagePart {
  if (part.type === 'refusal') return part;
  if (part.type === 'input_text' || part.type === 'output_text') {
    return { type: 'output_text', text: part.text, annotations: [], logprobs: [] };
  }
  return partOf(part);
}

function saidToModel(part: PartBody): MessagePart {
  if (part.type === 'refusal') return { type: 'input_text', text: part.refusal };
  return part.type === 'output_text' ? { type: 'input_text', text: part.text } : partOf(part);
}

function partOf(part: z.infer<typeof inputPart>): InputPart {
  switch (part.type) {
    case 'input_text':
      return part;
    case 'input_image':
      return { type: 'input_image', detail: part.detail ?? 'auto', ...given({ image_url: part.image_url, file_id: part.file_id }) };
    case 'input_file': {
      const { filename, file_data, file_id, file_url } = part;
      return { type: 'input_file', ...given({ filename, file_data, file_id, file_url }) };
    }
    default:
      return part satisfies never;
  }
}

/** Without the keys that have no value. */
function given<K extends string>(values: { readonly [key in K]?: string | null | undefined }): { [key in K]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as { [key in K]?: string };
}

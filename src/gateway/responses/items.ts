/** The items of a Responses request as items of a transcript. Pure. */
import type { InputPart, NewItem } from '../../domain/item.ts';
import type { SubmittedItem } from '../../client/submission.ts';
import type { ConversationItemBody, InputItemBody, inputPart } from './item-schema.ts';
import type { z } from 'zod';

type PartBody = Exclude<Extract<ConversationItemBody, { role: unknown }>['content'], string>[number];
type MessagePart = Extract<NewItem, { type: 'message' }>['content'][number];

export function responsesInput(input: string | readonly InputItemBody[]): SubmittedItem[] {
  if (typeof input === 'string') return [toNewItem({ role: 'user', content: input })];
  return input.map((item) => (item.type === 'item_reference' ? item : toNewItem(item)));
}

export function toNewItem(body: ConversationItemBody): NewItem {
  switch (body.type) {
    case 'function_call':
      return {
        type: 'function_call',
        status: 'completed',
        call_id: body.call_id,
        name: body.name,
        arguments: body.arguments,
        ...(body.provider_fields == null ? {} : { provider_fields: body.provider_fields }),
      };
    case 'function_call_output': {
      const output = typeof body.output === 'string' ? body.output : body.output.map(inputPartOf);
      return { type: 'function_call_output', status: 'completed', call_id: body.call_id, output };
    }
    case 'reasoning': {
      const { summary, encrypted_content, provider_fields } = body;
      return {
        type: 'reasoning',
        status: 'completed',
        summary,
        ...(encrypted_content == null ? {} : { encrypted_content }),
        ...(provider_fields == null ? {} : { provider_fields }),
      };
    }
    case 'message':
    case undefined: {
      const parts = typeof body.content === 'string' ? [{ type: 'input_text', text: body.content } as const] : body.content;
      const content = parts.map((part) => (body.role === 'assistant' ? assistantPart(part) : promptPart(part)));
      return { type: 'message', status: body.status ?? 'completed', role: body.role, content };
    }
    default:
      return body satisfies never;
  }
}

/** An assistant's text is output, also where the client calls it `input_text`. */
function assistantPart(part: PartBody): MessagePart {
  if (part.type === 'refusal') return part;
  if (part.type === 'input_text' || part.type === 'output_text') {
    return { type: 'output_text', text: part.text, annotations: [], logprobs: [] };
  }
  return inputPartOf(part);
}

function promptPart(part: PartBody): MessagePart {
  if (part.type === 'refusal') return { type: 'input_text', text: part.refusal };
  return part.type === 'output_text' ? { type: 'input_text', text: part.text } : inputPartOf(part);
}

function inputPartOf(part: z.infer<typeof inputPart>): InputPart {
  switch (part.type) {
    case 'input_text':
      return part;
    case 'input_image':
      return { type: 'input_image', detail: part.detail ?? 'auto', ...omitNullish({ image_url: part.image_url, file_id: part.file_id }) };
    case 'input_file': {
      const { filename, file_data, file_id, file_url } = part;
      return { type: 'input_file', ...omitNullish({ filename, file_data, file_id, file_url }) };
    }
    default:
      return part satisfies never;
  }
}

function omitNullish<K extends string>(values: { readonly [key in K]?: string | null | undefined }): { [key in K]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as { [key in K]?: string };
}

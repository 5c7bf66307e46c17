/** The items of a Responses request as items of a transcript: known members as turnkeep reads them, all others as they came. Pure. */
import { type InputPart, type MessagePart as OutputPart, type NewItem, readTypes } from '../../domain/item.ts';
import { responseIdOf } from '../../domain/response/new-items.ts';
import { isSealed } from '../../domain/prompt/prompt.ts';
import { isOwnList } from '../../domain/agents/tool-list.ts';
import { answerOf, type SubmittedItem } from '../../client/submission.ts';
import type { ConversationItemBody, InputItemBody, inputPart } from './item-schema.ts';
import { workerItemOf } from './worker-items.ts';
import type { z } from 'zod';

type KnownBody = Extract<ConversationItemBody, { type?: KnownType | undefined }>;
type KnownType = (typeof readTypes)[number];
type PartBody = Exclude<Extract<KnownBody, { role: unknown }>['content'], string>[number];
type MessagePart = Extract<NewItem, { type: 'message' }>['content'][number];

export function responsesInput(input: string | readonly InputItemBody[]): SubmittedItem[] {
  if (typeof input === 'string') return [toNewItem({ role: 'user', content: input })];
  return input.map((item) => (isReference(item) ? { type: item.type, id: item.id } : withAnswer(toNewItem(item), item.id)));
}

/** Only where it may matter: an input may have thousands of items. */
function withAnswer(item: NewItem, id: unknown): SubmittedItem {
  const answer = typeof id === 'string' && isSealed(item) ? responseIdOf(id) : undefined;
  return answer === undefined ? item : { ...item, [answerOf]: answer };
}

function isReference(item: InputItemBody): item is InputItemBody & { readonly type: 'item_reference'; readonly id: string } {
  return item.type === 'item_reference';
}

function isKnown(body: ConversationItemBody): body is KnownBody {
  return body.type === undefined || knownTypes.has(body.type);
}

const knownTypes: ReadonlySet<string> = new Set(readTypes);

export function toNewItem(body: ConversationItemBody): NewItem {
  if (!isKnown(body)) return workerItemOf(body) ?? opaqueOf(body);
  // `parsed_arguments` and `parsed` are what OpenAI's client adds to an answer: no server takes them.
  const { id: _theirs, status, parsed_arguments: _added, ...given } = body as typeof body & { readonly parsed_arguments?: unknown };
  const members = withoutNullish(given);
  switch (body.type) {
    case 'function_call':
    case 'custom_tool_call':
    case 'reasoning':
      return { ...members, type: body.type, status: 'completed' } as NewItem;
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const output = typeof body.output === 'string' ? body.output : body.output.map(inputPartOf);
      return { ...members, type: body.type, status: 'completed', call_id: body.call_id, output };
    }
    case 'message':
    case undefined: {
      const parts = typeof body.content === 'string' ? [{ type: 'input_text', text: body.content } as const] : body.content;
      const content = parts.map((part) => (body.role === 'assistant' ? assistantPart(part) : promptPart(part)));
      return { ...members, type: 'message', status: status ?? 'completed', role: body.role, content };
    }
    default:
      return body satisfies never;
  }
}

/** One whose `turnkeep` says nothing is not turnkeep's. */
function opaqueOf(body: ConversationItemBody): NewItem {
  const { turnkeep: _unread, ...members } = withoutNullish(body) as { readonly turnkeep?: unknown };
  // The mark says that no model is to be told of it.
  return (isOwnList(body) ? { ...members, turnkeep: {} } : members) as NewItem;
}

/** An assistant's text is output, also where the client calls it `input_text`. */
function assistantPart(part: PartBody): MessagePart {
  if (part.type === 'refusal') return part;
  if (part.type === 'output_text') {
    const { parsed: _added, ...rest } = part;
    return { ...rest, annotations: part.annotations ?? [], logprobs: part.logprobs ?? [] };
  }
  if (part.type === 'input_text') return { type: 'output_text', text: part.text, annotations: [], logprobs: [] } satisfies OutputPart;
  return inputPartOf(part);
}

function promptPart(part: PartBody): MessagePart {
  if (part.type === 'refusal') return { type: 'input_text', text: part.refusal };
  return part.type === 'output_text' ? { type: 'input_text', text: part.text } : inputPartOf(part);
}

function inputPartOf(part: z.infer<typeof inputPart>): InputPart {
  if (part.type === 'input_image') return { ...withoutNullish(part), type: 'input_image', detail: part.detail ?? 'auto' };
  return withoutNullish(part);
}

function withoutNullish<T extends object>(values: T): { [key in keyof T]: Exclude<T[key], null | undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value != null)) as {
    [key in keyof T]: Exclude<T[key], null | undefined>;
  };
}

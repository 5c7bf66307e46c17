/** Which of a chat's messages are new to its conversation. Pure. */
import type { NewItem } from '../../domain/item.ts';
import { ApiError } from '../http/errors.ts';
import { itemsOf } from './items.ts';
import type { ChatMessage } from './message-schema.ts';

export interface NewInput {
  /** The leading system and developer messages: they hold for this turn, so that they are never told twice. */
  readonly instructions: string | null;
  readonly input: readonly NewItem[];
  /** Of each item, what the request calls it. */
  readonly fields: readonly string[];
}

/**
 * A conversation that has turns already knows all up to its last answer; a new one takes everything.
 * @throws ApiError 400 where nothing is new
 */
export function newInputOf(messages: readonly ChatMessage[], hasTurns: boolean): NewInput {
  const start = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const leading = start === -1 ? [] : messages.slice(0, start);
  const rest = messages.slice(leading.length);
  const items = itemsOf(rest);
  const from = hasTurns ? rest.findLastIndex(isAnswer) + 1 : 0;
  const told = items.slice(from);
  const input = told.flat();
  if (input.length === 0) {
    throw new ApiError({
      status: 400,
      param: 'messages',
      code: 'invalid_value',
      message: "Invalid 'messages': nothing comes after the last answer, which the conversation has already. Add a message of the user.",
    });
  }
  return {
    instructions: leading.length === 0 ? null : leading.map(textOf).join('\n\n'),
    input,
    fields: fieldsOf(told, leading.length + from),
  };
}

/** @param from which of the request's messages the first is */
export function fieldsOf(told: readonly (readonly NewItem[])[], from: number): readonly string[] {
  return told.flatMap((items, index) =>
    items.map(({ type }) => `messages[${from + index}].${type === 'function_call_output' ? 'tool_call_id' : 'content'}`),
  );
}

/** Does this request continue a conversation, or is it a question beside it? Whoever continues has heard an answer. */
export function tellsAnswer(messages: readonly ChatMessage[]): boolean {
  return messages.some(isAnswer);
}

function isAnswer({ role }: ChatMessage): boolean {
  return role === 'assistant';
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Which of a chat's messages are new to its conversation. Pure. */
import type { NewItem } from '../../domain/item.ts';
import { ApiError } from '../http/errors.ts';
import { chatItems } from './items.ts';
import type { ChatMessage } from './message-schema.ts';

export interface NewInput {
  /** The leading system and developer messages. They hold for this turn only: each request brings them again. */
  readonly instructions: string | null;
  readonly input: readonly NewItem[];
  /** What the request calls each item. */
  readonly fields: readonly string[];
}

/**
 * A conversation that has turns has all messages up to the last one of the assistant; a new one takes them all.
 * @throws ApiError 400 where nothing is new
 */
export function newChatInput(messages: readonly ChatMessage[], hasTurns: boolean): NewInput {
  const start = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const leading = start === -1 ? [] : messages.slice(0, start);
  const rest = messages.slice(leading.length);
  const items = chatItems(rest);
  const from = hasTurns ? rest.findLastIndex(isOfAssistant) + 1 : 0;
  const added = items.slice(from);
  const input = added.flat();
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
    fields: chatFields(added, leading.length + from),
  };
}

/**
 * What the request calls each item.
 * @param messages the items of each message
 * @param from the place of the first of them among the request's messages
 */
export function chatFields(messages: readonly (readonly NewItem[])[], from: number): readonly string[] {
  return messages.flatMap((items, index) =>
    items.map(({ type }) => `messages[${from + index}].${type === 'function_call_output' ? 'tool_call_id' : 'content'}`),
  );
}

/** A request that goes on with a conversation holds a message of the assistant; a question beside it does not. */
export function hasAssistantMessage(messages: readonly ChatMessage[]): boolean {
  return messages.some(isOfAssistant);
}

function isOfAssistant({ role }: ChatMessage): boolean {
  return role === 'assistant';
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

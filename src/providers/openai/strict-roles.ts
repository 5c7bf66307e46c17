/**
 * A prompt for servers that take one message of the system, at the beginning, and roles in turns behind it. OpenAI takes any
 * roles in any order; the chat templates of open models do not (Qwen: "System message must be at the beginning", Gemma and
 * Mistral: "roles must alternate"), and one message that they refuse would make every later request of the conversation fail.
 *
 * - The instructions and the messages that lead are joined, in order: all of them hold from the beginning.
 * - A later one keeps its place, as a message of the user's that is marked as the system's. Joined to the first one it would
 *   hold for what came before it, and change the beginning of the prompt, which servers have cached.
 * - Messages of one role in a row become one, once both APIs' requests are made of the items.
 */
import type { InputMessage, InputPart, Item } from '../../domain/item.ts';
import { textOfPart } from './request-parts.ts';

interface Prompt {
  readonly instructions: string | null;
  readonly items: readonly Item[];
}

/** The system messages that lead are joined to the instructions; later ones stay. */
export function joinLeading({ instructions, items }: Prompt): Prompt {
  const first = items.findIndex((item) => !isOfSystem(item));
  const end = first === -1 ? items.length : first;
  const leading = items.slice(0, end).filter(isOfSystem).map(systemText);
  const texts = [instructions ?? '', ...leading].filter((text) => text !== '');
  return { instructions: texts.length === 0 ? null : texts.join('\n\n'), items: items.slice(end) };
}

/** The same, and later ones become messages of the user. */
export function strictRoles(prompt: Prompt): Prompt {
  const { instructions, items } = joinLeading(prompt);
  return { instructions, items: items.map((item) => (isOfSystem(item) ? asUser(item) : item)) };
}

function isOfSystem(item: Item): item is InputMessage {
  return item.type === 'message' && (item.role === 'system' || item.role === 'developer');
}

function systemText({ content }: InputMessage): string {
  return content.map((part) => textOfPart(part)).join('');
}

function asUser(item: InputMessage): InputMessage {
  return { ...item, role: 'user', content: [inputText('<system>\n'), ...item.content, inputText('\n</system>')] };
}

function inputText(text: string): InputPart {
  return { type: 'input_text', text };
}

/**
 * A prompt for servers that take one message of the system, at the beginning. OpenAI takes any roles in any order; the chat
 * templates of open models do not (Qwen: "System message must be at the beginning", Gemma and Mistral: "roles must alternate"),
 * and one message that they refuse would make every later request of the conversation fail.
 *
 * - The instructions and the messages that lead are joined, in order: all of them hold from the beginning.
 * - A later one keeps its place, in the user's message behind it, marked as the system's. Joined to the first one it would
 *   hold for what came before it, and change the beginning of the prompt, which servers have cached.
 *
 * - Messages of the user in a row are joined where turnkeep wrote one of them (a summary, an output without its call): the row
 *   is of its making. A row that the user wrote is left as it is, but for a server that has refused one (`learned-forms.ts`).
 */
import { type InputMessage, type InputPart, type Item, unwrittenMessage } from '../../domain/item.ts';
import { textOfPart } from '../../domain/prompt/in-words.ts';

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

/** For the Responses API, which has a member for the instructions: alone, a leading message stays a message. */
export function joinInstructions(prompt: Prompt): Prompt {
  return prompt.instructions === null ? prompt : joinLeading(prompt);
}

/**
 * The same as `joinLeading`, and later ones become words of the user's next message, or a message of the user where there is none.
 * @param joinsRows the server takes no two messages of one role in a row, whoever wrote them
 */
export function strictRoles(prompt: Prompt, joinsRows = false): Prompt {
  const { instructions, items: given } = joinLeading(prompt);
  const items: Item[] = [];
  let waiting: InputPart[] = [];
  for (const item of given) {
    if (isOfSystem(item)) {
      waiting.push(markedPart(item));
      continue;
    }
    if (waiting.length === 0) items.push(item);
    else if (isOfUser(item)) items.push({ ...item, content: [...waiting, ...item.content] });
    else items.push(unwrittenMessage('user', waiting), item);
    waiting = [];
  }
  if (waiting.length > 0) items.push(unwrittenMessage('user', waiting));
  return { instructions, items: joinRows(items, joinsRows) };
}

function joinRows(items: readonly Item[], joinsAll: boolean): readonly Item[] {
  const joined: Item[] = [];
  let row: InputMessage[] = [];
  const closeRow = (): void => {
    const isOfOurs = row.some(({ id, role }) => role === 'user' && id === unwrittenId);
    joined.push(...(isOfOurs || (joinsAll && row.length > 1) ? [joinedRow(row)] : row));
    row = [];
  };
  for (const item of items) {
    if (item.type !== 'message' || item.role !== row[0]?.role) closeRow();
    if (item.type === 'message') row.push(item);
    else joined.push(item);
  }
  closeRow();
  return joined;
}

function joinedRow(row: readonly InputMessage[]): InputMessage {
  return unwrittenMessage(
    row[0]?.role === 'assistant' ? 'assistant' : 'user',
    row.flatMap(({ content }, index) => (index === 0 ? content : [gap, ...content])),
  );
}

const gap: InputPart = { type: 'input_text', text: '\n\n' };

type UserMessage = InputMessage & { readonly role: 'user' };

/** Only items of clients and of answers have ids. */
const unwrittenId = '';

function isOfSystem(item: Item): item is InputMessage & { readonly role: 'system' | 'developer' } {
  return item.type === 'message' && (item.role === 'system' || item.role === 'developer');
}

function systemText({ content }: InputMessage): string {
  return content.map((part) => textOfPart(part)).join('');
}

function isOfUser(item: Item): item is UserMessage {
  return item.type === 'message' && item.role === 'user';
}

function markedPart(item: InputMessage): InputPart {
  return { type: 'input_text', text: `<system>\n${systemText(item)}\n</system>\n\n` };
}

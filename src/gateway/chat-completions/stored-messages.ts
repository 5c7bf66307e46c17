/** What a stored completion was asked with: the items of its turn as the messages of a chat. Pure. */
import { type CallItem, type InputItem, type InputMessage, isCall, isCallOutput, textOf, toolOutputText } from '../../domain/item.ts';
import { assistantMessage } from './completion.ts';

/** Without an id yet. */
export interface StoredMessage {
  readonly [member: string]: unknown;
}

type Spoken = Extract<InputItem, { readonly type: 'message' | 'reasoning' }> | CallItem;

/**
 * @param instructions the leading system messages, where the turn keeps them apart
 * @param isLegacy calls are shown as `function_call`, their outputs as messages of the role `function`
 */
export function storedMessages(items: readonly InputItem[], instructions: string | null, isLegacy: boolean): StoredMessage[] {
  const messages: StoredMessage[] = instructions === null ? [] : [plain('system', instructions)];
  const names = new Map<string, string>();
  let answer: Spoken[] = [];
  const close = (): void => {
    if (answer.length > 0) messages.push(answerOf(answer, isLegacy));
    answer = [];
  };
  for (const item of items) {
    if (isOfAnswer(item)) {
      if (beginsAnswer(item, answer)) close();
      answer.push(item);
      if (isCall(item)) names.set(item.call_id, item.name);
      continue;
    }
    close();
    if (item.type === 'message') messages.push(promptMessage(item));
    else if (isCallOutput(item)) {
      const content = toolOutputText(item);
      messages.push(
        isLegacy
          ? { ...plain('function', content), name: names.get(item.call_id) ?? null }
          : { ...plain('tool', content), tool_call_id: item.call_id },
      );
    }
  }
  close();
  return messages;
}

function isOfAnswer(item: InputItem): item is Spoken & { readonly role?: 'assistant' } {
  return item.type === 'reasoning' || isCall(item) || (item.type === 'message' && item.role === 'assistant');
}

/** Reasoning comes before the text of its message, and the text before the calls. */
function beginsAnswer(item: Spoken, before: readonly Spoken[]): boolean {
  const last = before.at(-1);
  if (last === undefined || isCall(item)) return false;
  return last.type !== 'reasoning';
}

function answerOf(items: readonly Spoken[], isLegacy: boolean): StoredMessage {
  return { ...assistantMessage(items, isLegacy), name: null, content_parts: null };
}

function promptMessage(item: InputMessage): StoredMessage {
  const isText = item.content.length === 1 && item.content[0]?.type === 'input_text';
  const text = textOf(item);
  if (isText) return plain(item.role, text);
  return { ...plain(item.role, text === '' ? null : text), content_parts: item.content.map(partOf) };
}

function partOf(part: InputMessage['content'][number]): object {
  switch (part.type) {
    case 'input_image':
      return { type: 'image_url', image_url: { url: part.image_url ?? '', detail: part.detail } };
    case 'input_file': {
      const { type: _, ...file } = part;
      return { type: 'file', file };
    }
    case 'refusal':
      return part;
    case 'input_text':
    case 'output_text':
    default:
      return { type: 'text', text: part.text };
  }
}

function plain(role: string, content: string | null): StoredMessage {
  return { role, content, refusal: null, name: null, content_parts: null };
}

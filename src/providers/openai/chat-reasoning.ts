/**
 * The reasoning of earlier answers, in the fields of Chat Completions that servers have added for it. Pure.
 *
 * Servers that want it back refuse a request without it: DeepSeek, Moonshot and Qwen while they think ("reasoning_content
 * is missing in assistant tool call message at index 2"), with any call in the conversation, not only in the loop that runs,
 * and DeepSeek wherever there are tools. OpenRouter goes on thinking from `reasoning_details`. All of them ignore what they
 * do not need. So it goes back as soon as there are tools, to the server that sent it, in the field that it came in; a
 * conversation without tools does not pay for it.
 */
import type { ChatCompletionAssistantMessageParam, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { Json, ReasoningItem } from '../../domain/item.ts';

type TextField = 'reasoning_content' | 'reasoning';

type WithReasoning = ChatCompletionAssistantMessageParam & { [field in TextField]?: string } & { reasoning_details?: Json[] };

export class ChatReasoning {
  readonly #isWanted: boolean;
  /** Of the answer that is read: its message has not come yet. */
  #pending: ReasoningItem[] = [];
  #hasContentField = false;

  constructor(isWanted: boolean) {
    this.#isWanted = isWanted;
  }

  read(item: ReasoningItem): void {
    if (this.#isWanted && item.provider_fields !== undefined) this.#pending.push(item);
  }

  /** It led to nothing that was said. */
  drop(): void {
    this.#pending = [];
  }

  /** It led to this message. */
  attachTo(message: WithReasoning): void {
    for (const { summary, provider_fields: { field, details } = {} } of this.#pending) {
      const text = summary.map((part) => part.text).join('\n\n');
      const textField = textFieldOf(field);
      if (textField !== undefined && text !== '') {
        message[textField] = message[textField] === undefined ? text : `${message[textField]}\n\n${text}`;
      }
      if (Array.isArray(details)) {
        message.reasoning_details ??= [];
        for (const detail of details as readonly Json[]) message.reasoning_details.push(detail);
      }
      if (field === 'reasoning_content') this.#hasContentField = true;
    }
    this.#pending = [];
  }

  /** Servers that check the field check it on every answer, also on those that another model gave, or that broke off before. */
  complete(messages: readonly ChatCompletionMessageParam[]): void {
    if (!this.#hasContentField) return;
    for (const message of messages) if (message.role === 'assistant') (message as WithReasoning).reasoning_content ??= '';
  }
}

function textFieldOf(field: Json | undefined): TextField | undefined {
  // Servers with details have the text beside them, and some models behind OpenRouter want that back, too.
  if (field === 'reasoning_details') return 'reasoning';
  return field === 'reasoning_content' || field === 'reasoning' ? field : undefined;
}

/** The AI SDK's own chat, as `useChat` has it, without a framework: what a browser would do with our UI message stream. */
import { AbstractChat, type ChatInit, type ChatState, type ChatStatus, DefaultChatTransport, type UIMessage } from 'ai';

class PlainState implements ChatState<UIMessage> {
  status: ChatStatus = 'ready';
  error: Error | undefined;
  messages: UIMessage[];
  onChange: () => void = () => undefined;

  constructor(messages: readonly UIMessage[]) {
    this.messages = [...messages];
  }

  pushMessage = (message: UIMessage): void => {
    this.messages = [...this.messages, message];
    this.onChange();
  };

  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1);
  };

  replaceMessage = (index: number, message: UIMessage): void => {
    this.messages = this.messages.with(index, message);
    this.onChange();
  };

  snapshot = <T>(thing: T): T => structuredClone(thing);
}

export interface UiChatOptions extends Pick<ChatInit<UIMessage>, 'onToolCall' | 'sendAutomaticallyWhen'> {
  readonly messages?: readonly UIMessage[];
  /** What `useChat({ body })` adds. */
  readonly body?: object;
  /** What `useChat({ headers })` adds. */
  readonly headers?: Record<string, string>;
}

export class UiChat extends AbstractChat<UIMessage> {
  readonly #state: PlainState;
  readonly #waiting = new Set<() => void>();

  /** @param url of turnkeep's gateway */
  constructor(url: string, id: string, { messages = [], body = {}, headers = {}, ...init }: UiChatOptions = {}) {
    const state = new PlainState(messages);
    super({ id, state, transport: new DefaultChatTransport({ api: `${url}/api/chat`, body, headers }), ...init });
    this.#state = state;
    state.onChange = () => {
      for (const look of this.#waiting) look();
    };
  }

  /** The text of the newest message, as it stands. */
  get text(): string {
    return textOf(this.messages.at(-1));
  }

  /** Roles and texts of all messages. */
  get told(): [string, string][] {
    return this.#state.messages.map((message) => [message.role, textOf(message)]);
  }

  async untilText(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.lastMessage?.role !== 'assistant' || this.text !== text) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Somebody who talks to a gateway over a WebSocket with the `openai` package, and keeps every message as it came. */
import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import type { WebSocket } from 'ws';
import type { SeenEvent } from './viewer.ts';
import { within } from './within.ts';

type ClientOptions = ConstructorParameters<typeof ResponsesWS>[1];

export class SocketClient implements Disposable {
  readonly sdk: ResponsesWS;
  readonly events: SeenEvent[] = [];
  /** The messages of `events`, as they came. */
  readonly data: string[] = [];
  /** Resolves with the code. */
  readonly closed: Promise<number>;
  readonly #waiting = new Set<() => void>();

  static async open(client: OpenAI, options?: ClientOptions): Promise<SocketClient> {
    const socket = new SocketClient(new ResponsesWS(client, options));
    await new Promise<void>((resolve, reject) => {
      socket.sdk.socket.on('open', () => resolve());
      socket.sdk.on('error', (error) => reject(error));
    });
    return socket;
  }

  private constructor(sdk: ResponsesWS) {
    this.sdk = sdk;
    sdk.socket.on('message', (text) => {
      this.data.push(String(text));
      this.events.push(JSON.parse(String(text)) as SeenEvent);
      for (const look of this.#waiting) look();
    });
    // Without a listener an error event would be an unhandled rejection; it is among the events.
    sdk.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      sdk.on('close', (code) => {
        for (const look of this.#waiting) look();
        resolve(code);
      });
    });
  }

  /** The package's own socket. */
  get raw(): WebSocket {
    return this.sdk.socket.platformSocket;
  }

  /** A message that the package may know nothing of. */
  send(message: object): void {
    this.sdk.sendRaw(JSON.stringify(message));
  }

  create(input: unknown, fields: object = {}): void {
    this.send({ type: 'response.create', input, ...fields });
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** The messages of one response, in its order. */
  dataOf(id: string): string[] {
    return this.data.filter((_, index) => idOf(this.events, index) === id);
  }

  /** Resolves with the first event from `from` on that `test` holds for. */
  async until(test: (event: SeenEvent) => boolean, from = 0): Promise<SeenEvent> {
    return within(`a message that ${String(test)} holds for`, this.#first(test, from), () => JSON.stringify(this.types));
  }

  async #first(test: (event: SeenEvent) => boolean, from: number): Promise<SeenEvent> {
    const found = (): SeenEvent | undefined => this.events.slice(from).find(test);
    for (;;) {
      const event = found();
      if (event !== undefined) return event;
      assert.ok(this.sdk.socket.readyState <= 1, `the socket closed before that: ${JSON.stringify(this.types)}`);
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
  }

  /** The next event of this type, from `from` on. */
  async untilType(type: string, from = 0): Promise<SeenEvent & { response: SeenResponse }> {
    return (await this.until((event) => event.type === type, from)) as SeenEvent & { response: SeenResponse };
  }

  /** The end of the response that begins with the `from`th event or behind it. */
  async untilEnd(from = 0): Promise<SeenResponse> {
    const { response } = (await this.until(({ type }) => ends.has(type), from)) as unknown as { response: SeenResponse };
    return response;
  }

  /** The end of the `count`th response. */
  async untilEnds(count: number): Promise<SeenResponse> {
    let seen = 0;
    const isIt = (event: SeenEvent): boolean => {
      if (event === this.events[0]) seen = 0;
      if (ends.has(event.type)) seen += 1;
      return ends.has(event.type) && seen === count;
    };
    return ((await this.until(isIt)) as unknown as { response: SeenResponse }).response;
  }

  async untilText(text: string): Promise<void> {
    let seen = '';
    await this.until((event) => {
      if (event === this.events[0]) seen = '';
      if (event.type === 'response.output_text.delta') seen += String(event['delta']);
      return seen.includes(text);
    });
  }

  async untilError(from = 0): Promise<SocketError> {
    return (await this.until(({ type }) => type === 'error', from)) as unknown as SocketError;
  }

  /** As a cable is cut. */
  reset(): void {
    this.sdk.socket.terminate?.();
  }

  [Symbol.dispose](): void {
    this.sdk.close();
  }
}

const ends: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed']);

/** Events name their response, or come between others of it: only for connections with one response at a time. */
function idOf(events: readonly SeenEvent[], index: number): string | undefined {
  for (let at = index; at >= 0; at -= 1) {
    const response = events[at]?.['response'] as { readonly id: string } | undefined;
    if (response !== undefined) return response.id;
  }
  return undefined;
}

export interface SeenResponse {
  readonly id: string;
  readonly status: string;
  readonly previous_response_id: string | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly error: { readonly code: string } | null;
  readonly output: readonly { readonly type: string; readonly status: string; readonly content?: readonly { readonly text: string }[] }[];
}

export interface SocketError {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly stream_id?: string;
  readonly error: { readonly type: string; readonly code: string | null; readonly param: string | null; readonly message: string };
}

/** Somebody who reads a turn's stream over a real socket, and keeps every byte. */
import assert from 'node:assert/strict';
import { createParser } from 'eventsource-parser';
import { within } from './within.ts';

export interface SeenEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly [key: string]: unknown;
}

export class Viewer {
  readonly events: SeenEvent[] = [];
  readonly comments: string[] = [];
  /** The `data` of every event, as it came. */
  readonly data: string[] = [];
  isDone = false;
  readonly headers: Headers;
  readonly #abort: AbortController;
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<{ readonly test: () => boolean; readonly resolve: () => void; readonly reject: (error: Error) => void }>();

  static async open(url: string, init: RequestInit = {}): Promise<Viewer> {
    const abort = new AbortController();
    const response = await fetch(url, { ...init, signal: abort.signal });
    assert.equal(response.status, 200, response.status === 200 ? '' : await response.text());
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    return new Viewer(response, abort);
  }

  /** Posts a turn to a gateway, and watches it from its first event on. */
  static async say(url: string, input: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Viewer> {
    const viewer = await Viewer.open(`${url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ input, stream: true, ...body }),
    });
    await viewer.until((seen) => seen.events.length > 0);
    return viewer;
  }

  private constructor(response: Response, abort: AbortController) {
    this.headers = response.headers;
    this.#abort = abort;
    this.#ended = this.#read(response);
  }

  /** Resolves when the stream has ended, however. */
  get ended(): Promise<void> {
    return within('the end of a stream', this.#ended, () => this.#seen);
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  /** All the text that was shown, deltas joined. */
  get text(): string {
    return this.#joined('response.output_text.delta');
  }

  get reasoning(): string {
    return this.#joined('response.reasoning_summary_text.delta');
  }

  get last(): SeenEvent & { response: FinalResponse } {
    const last = this.events.at(-1);
    assert.ok(last, 'nothing was seen');
    return last as SeenEvent & { response: FinalResponse };
  }

  get id(): string {
    const first = this.events[0] as unknown as { response: { id: string } } | undefined;
    assert.ok(first, 'nothing was seen');
    return first.response.id;
  }

  /** Resolves once `test` holds; rejects if the stream ends first. */
  async until(test: (viewer: Viewer) => boolean): Promise<void> {
    if (test(this)) return;
    const held = new Promise<void>((resolve, reject) => {
      this.#waiting.add({ test: () => test(this), resolve, reject });
    });
    await within(`a viewer to see ${String(test)}`, held, () => this.#seen);
  }

  async untilText(text: string): Promise<void> {
    await this.until((viewer) => viewer.text.includes(text));
  }

  async untilComments(count: number): Promise<void> {
    await this.until((viewer) => viewer.comments.length >= count);
  }

  leave(): void {
    this.#abort.abort();
  }

  get #seen(): string {
    return `${JSON.stringify(this.types)}, '${this.text}'`;
  }

  #joined(type: string): string {
    return this.events
      .filter((event) => event.type === type)
      .map((event) => String(event['delta']))
      .join('');
  }

  async #read(response: Response): Promise<void> {
    const parser = createParser({
      onComment: (comment) => {
        this.comments.push(comment);
        this.#look();
      },
      onEvent: ({ event, data }) => {
        if (data === '[DONE]') {
          this.isDone = true;
          return;
        }
        const parsed = JSON.parse(data) as SeenEvent;
        assert.equal(event, parsed.type);
        this.data.push(data);
        this.events.push(parsed);
        this.#look();
      },
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    } catch {
      // Cut. What was seen is kept; `isDone` tells.
    }
    this.#look();
    for (const waiter of this.#waiting) {
      waiter.reject(new Error(`the stream ended before that: ${JSON.stringify(this.types)}`));
    }
    this.#waiting.clear();
  }

  #look(): void {
    for (const waiter of this.#waiting) {
      if (!waiter.test()) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

export interface FinalResponse {
  readonly id: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  readonly output: readonly { readonly type: string; readonly status: string; readonly content?: readonly { readonly text: string }[] }[];
}

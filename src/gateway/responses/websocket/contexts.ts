/**
 * What a connection remembers of responses that are in no database: those of `store: false`, and those that only prepared
 * (`generate: false`). As with OpenAI, the last one of each stream can be gone on from on the same connection, and nowhere
 * else: its items go with the next request as if the client had sent them again.
 */
import type { BodyBudget, BodyHold } from '../../http/body-budget.ts';
import { itemsOf } from './client-events.ts';

type Body = { readonly [field: string]: unknown };

export interface Expanded {
  readonly body: Body;
  /** What the client goes on from, where this connection alone knows it. */
  readonly continues?: string;
  /** About what it takes in memory. */
  readonly bytes: number;
}

/** A request whose response is to be remembered. */
export interface Kept {
  /** The stored response that the items follow. */
  readonly previous: string | null;
  /** As clients send them. */
  readonly items: readonly unknown[];
  readonly bytes: number;
  /** Released when it is remembered no more. */
  readonly hold: BodyHold;
}

interface Context extends Kept {
  readonly streamId: string | undefined;
}

export class Contexts {
  readonly #budget: BodyBudget;
  readonly #tenant: string;
  readonly #byResponse = new Map<string, Context>();

  constructor(budget: BodyBudget, tenant: string) {
    this.#budget = budget;
    this.#tenant = tenant;
  }

  /** The request as it would be without a connection to remember anything. @param bytes of its message */
  expand(body: Body, bytes: number): Expanded {
    const { previous_response_id: continues, conversation, input } = body;
    const context = typeof continues === 'string' ? this.#byResponse.get(continues) : undefined;
    // What is wrong with both of them, or with the input, is for the schema to say.
    const isRight = conversation == null && (input === undefined || typeof input === 'string' || Array.isArray(input));
    if (context === undefined || typeof continues !== 'string' || !isRight) return { body, bytes };
    const items = [...context.items, ...itemsOf(input)];
    return { body: { ...body, previous_response_id: context.previous, input: items }, continues, bytes: bytes + context.bytes };
  }

  /**
   * Counts what is to be remembered, from the time it is accepted. undefined: it is too much, so its response will be unknown to
   * the next request, and its client sends all of it again.
   */
  keep({ body, bytes }: Expanded): Kept | undefined {
    const hold = this.#budget.open(this.#tenant);
    try {
      hold.grow(bytes);
    } catch {
      return undefined;
    }
    const previous = body['previous_response_id'];
    return { previous: typeof previous === 'string' ? previous : null, items: itemsOf(body['input']), bytes, hold };
  }

  /** Remembers a response instead of the one before it in its stream. @param outputBytes about what its output takes */
  remember(
    { id, output }: { readonly id: string; readonly output: readonly unknown[] },
    { previous, items, bytes, hold }: Kept,
    { streamId, outputBytes }: { readonly streamId: string | undefined; readonly outputBytes: number },
  ): void {
    this.forget(streamId);
    try {
      hold.grow(bytes + outputBytes);
    } catch {
      hold.release();
      return;
    }
    this.#byResponse.set(id, { previous, items: [...items, ...output], bytes: bytes + outputBytes, hold, streamId });
  }

  /** Of one stream. */
  forget(streamId: string | undefined): void {
    for (const [id, context] of this.#byResponse) {
      if (context.streamId !== streamId) continue;
      context.hold.release();
      this.#byResponse.delete(id);
    }
  }

  forgetAll(): void {
    for (const { hold } of this.#byResponse.values()) hold.release();
    this.#byResponse.clear();
  }
}

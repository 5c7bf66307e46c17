/**
 * What a connection remembers of responses that are in no database: those of `store: false`, and those that only prepared
 * (`generate: false`). As with OpenAI, the last one of each stream can be gone on from on the same connection, and nowhere
 * else: its items go with the next request as if the client had sent them again.
 */
import type { BodyBudget, BodyHold } from '../../http/body-budget.ts';
import { itemsOf } from './client-events.ts';

interface Context {
  /** The stored response that the items follow. */
  readonly previous: string | null;
  /** As clients send them. */
  readonly items: readonly unknown[];
  readonly streamId: string | undefined;
  readonly hold: BodyHold;
}

type Body = { readonly [field: string]: unknown };

export interface Expanded {
  readonly body: Body;
  /** What the client goes on from, where this connection alone knows it. */
  readonly continues?: string;
}

export class Contexts {
  readonly #budget: BodyBudget;
  readonly #tenant: string;
  readonly #byResponse = new Map<string, Context>();

  constructor(budget: BodyBudget, tenant: string) {
    this.#budget = budget;
    this.#tenant = tenant;
  }

  /** The request as it would be without a connection to remember anything. */
  expand(body: Body): Expanded {
    const { previous_response_id: continues, conversation, input } = body;
    const context = typeof continues === 'string' ? this.#byResponse.get(continues) : undefined;
    // What is wrong with both of them is for the schema to say.
    if (context === undefined || typeof continues !== 'string' || conversation != null) return { body };
    if (input !== undefined && typeof input !== 'string' && !Array.isArray(input)) return { body };
    return { body: { ...body, previous_response_id: context.previous, input: [...context.items, ...itemsOf(input)] }, continues };
  }

  /**
   * Remembers a response instead of the one before it in its stream. What is too much to be remembered is unknown to the next
   * request, and its client sends all of it again.
   * @param expanded as the request was made
   */
  remember(response: { readonly id: string; readonly output: readonly unknown[] }, { body }: Expanded, streamId: string | undefined): void {
    this.forget(streamId);
    const previous = body['previous_response_id'];
    const items = [...itemsOf(body['input']), ...response.output];
    const hold = this.#budget.open(this.#tenant);
    try {
      hold.grow(sizeOf(items));
    } catch {
      return;
    }
    const context = { previous: typeof previous === 'string' ? previous : null, items, streamId, hold };
    this.#byResponse.set(response.id, context);
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

/** About the memory that strings take; what else there is of JSON is little beside them. Iterative: a client chose how deep. */
function sizeOf(items: readonly unknown[]): number {
  let size = 0;
  const open: unknown[] = [...items];
  while (open.length > 0) {
    const value = open.pop();
    size += typeof value === 'string' ? value.length : 16;
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) open.push(inner);
  }
  return size;
}

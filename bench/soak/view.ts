/** One viewer's stream of a turn, over as many connections as it takes: counts and hashes its events, keeps none. */
import { createHash } from 'node:crypto';
import { clockMs } from '../support/clock.ts';

interface SeenEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
  readonly response?: FinalResponse;
}

export interface FinalResponse {
  readonly id: string;
  readonly status: string;
  readonly error: { readonly code: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly output: readonly ShownItem[];
}

export interface ShownItem {
  readonly id: string;
  readonly role?: string;
  readonly content?: readonly { readonly text?: string }[];
}

const endTypes: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed']);

export class View {
  readonly #hash = createHash('sha1');
  #rest = '';
  #digest: string | undefined;
  /** Events seen. */
  count = 0;
  deltas = 0;
  /** On `clockMs`. */
  firstDeltaAtMs: number | undefined;
  /** `[DONE]` was seen. */
  isDone = false;
  ends = 0;
  final: FinalResponse | undefined;
  text = '';
  /** What is wrong with the stream itself. */
  readonly problems: string[] = [];

  /** A new connection begins: half an event of the last one is void. */
  reconnect(): void {
    this.#rest = '';
  }

  /** @returns how many deltas there were before */
  feed(piece: string): void {
    this.#rest += piece;
    for (;;) {
      const at = this.#rest.indexOf('\n\n');
      if (at < 0) return;
      this.#take(this.#rest.slice(0, at + 2));
      this.#rest = this.#rest.slice(at + 2);
    }
  }

  /** Of the bytes of all events. */
  get digest(): string {
    return (this.#digest ??= this.#hash.digest('hex'));
  }

  #take(block: string): void {
    if (block.startsWith(':')) return;
    if (this.isDone) this.problems.push(`behind [DONE] came ${block}`);
    if (block === 'data: [DONE]\n\n') {
      this.isDone = true;
      if (this.ends === 0) this.problems.push('[DONE] without an end');
      return;
    }
    const event = eventOf(block);
    if (event?.sequence_number !== this.count) this.problems.push(`event ${this.count} was to come, and not ${block.slice(0, 200)}`);
    this.#hash.update(block);
    this.count += 1;
    if (event === undefined) return;
    if (this.ends > 0) this.problems.push(`behind the end came ${event.type}`);
    if (event.type === 'response.output_text.delta') {
      this.firstDeltaAtMs ??= clockMs();
      this.deltas += 1;
      this.text += event.delta ?? '';
    }
    if (endTypes.has(event.type)) {
      this.ends += 1;
      this.final = event.response;
    }
  }
}

/** The blocks of a whole stream that are events, as they came. */
export function eventBlocks(stream: string): string[] {
  return stream.split(/(?<=\n\n)/).filter((block) => block.startsWith('event: '));
}

export function digestOf(blocks: readonly string[]): string {
  return createHash('sha1').update(blocks.join('')).digest('hex');
}

/** `completed`, `cancelled`, the code of a failure, or the reason of an incomplete end. */
export function endOf({ status, error, incomplete_details: details }: FinalResponse): string {
  if (status === 'failed') return error?.code ?? 'failed';
  return status === 'incomplete' ? (details?.reason ?? status) : status;
}

function eventOf(block: string): SeenEvent | undefined {
  const [, type, id, data] = /^event: (.+)\nid: (\d+)\ndata: (.+)\n\n$/.exec(block) ?? [];
  if (data === undefined) return undefined;
  try {
    const event = JSON.parse(data) as SeenEvent;
    return event.type === type && event.sequence_number === Number(id) ? event : undefined;
  } catch {
    return undefined;
  }
}

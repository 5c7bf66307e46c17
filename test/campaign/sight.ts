/** What a viewer sees of a turn, over as many connections as it takes. */
import { clockMs } from '../../bench/support/clock.ts';
import type { FinalResponse } from '../../bench/soak/view.ts';
import { hashOf } from './record.ts';

interface SeenEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
  readonly response?: FinalResponse;
}

const endTypes: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed']);

export interface SightMark {
  readonly after: number;
  readonly rows: number;
  readonly tokens: number;
}

export class Sight {
  /** Of all events. */
  rows = '';
  /** Events seen, over all connections. */
  count = 0;
  /** `[DONE]` was seen. */
  isDone = false;
  final: FinalResponse | undefined;
  text = '';
  /** Where ends stand. */
  readonly ends: number[] = [];
  readonly firstTokens: { readonly step: number; readonly atMs: number }[] = [];
  /** What is wrong with the numbers and the forms of events. */
  readonly problems: string[] = [];
  #rest = '';

  /** Of the response in the last event, as a blocking POST answers it. */
  get body(): string {
    return this.final === undefined ? '' : hashOf(JSON.stringify(this.final));
  }

  /** A new connection begins: half an event of the last one is void. */
  reconnect(): void {
    this.#rest = '';
  }

  /** Where it stands, for `Client.viewed`. */
  mark(): SightMark {
    return { after: this.count - 1, rows: this.rows.length, tokens: this.firstTokens.length };
  }

  feed(piece: string): void {
    this.#rest += piece;
    for (;;) {
      const at = this.#rest.indexOf('\n\n');
      if (at < 0) return;
      this.#read(this.#rest.slice(0, at));
      this.#rest = this.#rest.slice(at + 2);
    }
  }

  #read(block: string): void {
    if (block.startsWith(':')) return;
    if (this.isDone) this.problems.push(`behind [DONE] came ${block.slice(0, 100)}`);
    if (block === 'data: [DONE]') {
      this.isDone = true;
      return;
    }
    const [, type, id, data = ''] = /^event: (.+)\nid: (\d+)\ndata: (.+)$/.exec(block) ?? [];
    if (type === undefined) {
      this.problems.push(`no event: ${block.slice(0, 100)}`);
      return;
    }
    this.take(type, Number(id), data);
  }

  /** One event. @param type and @param id as the stream names them, beside its data */
  take(type: string, id: number, data: string): void {
    const event = JSON.parse(data) as SeenEvent;
    if (event.sequence_number !== this.count || id !== this.count || event.type !== type)
      this.problems.push(`event ${this.count} was to come, and not ${id} (${event.sequence_number}), ${type} (${event.type})`);
    this.rows += hashOf(data);
    if (endTypes.has(event.type)) {
      this.ends.push(this.count);
      this.final = event.response;
    }
    this.count += 1;
    if (event.type !== 'response.output_text.delta') return;
    const step = Number(event.delta?.split('.')[0]);
    if (!this.firstTokens.some((first) => first.step === step)) this.firstTokens.push({ step, atMs: clockMs() });
    this.text += event.delta ?? '';
  }
}

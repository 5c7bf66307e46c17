/** The hands of a campaign's clients: they post, watch and cancel until they have an answer, and book what they did and saw. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dice } from '../../bench/soak/dice.ts';
import { type Exchange, type Exchanged, exchange, isPassing } from '../../bench/soak/exchange.ts';
import type { OperationLog } from './record.ts';
import { hashChars } from './record.ts';
import { Sight, type SightMark } from './sight.ts';

export interface ClientOptions {
  readonly urls: readonly string[];
  readonly log: OperationLog;
  /** Aborts when nothing is waited for any more. */
  readonly signal: AbortSignal;
  /** A connection that brings nothing for this long is given up. */
  readonly patienceMs: number;
  readonly dice: Dice;
}

export interface Posting {
  readonly turn: string;
  readonly session: string;
  readonly body: object;
  /** Default: the turn's name. false: none is sent. */
  readonly key?: false;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the events of the answer, where it is a stream. */
  readonly sight?: Sight;
  /** Of a slow viewer, behind each piece. */
  readonly pauseMs?: number;
  /** The viewer goes when it has seen so many events. */
  readonly leavesBehind?: number;
  readonly interrupts?: string;
}

/** `text`: the whole body, where there was one. */
export type Posted = { readonly type: 'accepted'; readonly id: string; readonly text: string | undefined } | { readonly type: 'given up' };

export interface Watching {
  readonly turn: string;
  readonly id: string;
  readonly pauseMs?: number;
  /** The viewer goes when it has seen so many events. */
  readonly leavesBehind?: number;
  /** Called with how many events were seen so far. */
  readonly onEvents?: (count: number) => void;
}

const wholePatienceMs = 20_000;
/** Of a pause: up to 10 s. */
const mostDoublings = 4;

export class Client {
  readonly options: ClientOptions;
  /** Pauses since the last answer. */
  #unanswered = 0;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  get isOver(): boolean {
    return this.options.signal.aborted;
  }

  /** Posts until an answer names the turn. A stream is read as far as it comes. */
  async post(posting: Posting): Promise<Posted> {
    const { log } = this.options;
    const { turn, session, interrupts } = posting;
    log.add({ op: 'post', turn, session, ...(interrupts === undefined ? {} : { interrupts }) });
    while (!this.isOver) {
      const posted = await this.postOnce(posting);
      if (posted !== undefined) return posted;
      await this.pause();
    }
    return { type: 'given up' };
  }

  /** undefined: no answer has named the turn, and the same may be sent again. */
  async postOnce({ turn, body, key, headers, sight, pauseMs, leavesBehind }: Posting): Promise<Posted | undefined> {
    const { log, patienceMs } = this.options;
    let id: string | undefined;
    const leaving = new AbortController();
    const result = await this.#exchange({
      method: 'POST',
      url: `${this.#url()}/v1/responses`,
      body: JSON.stringify(body),
      ...(key === false ? {} : { key: turn }),
      ...(headers === undefined ? {} : { headers }),
      patienceMs,
      signal: AbortSignal.any([this.options.signal, leaving.signal]),
      onHeaders: (status, responseId) => {
        if (status !== 200) return;
        if (responseId === undefined) return log.add({ op: 'client saw', turn, what: 'an answer without the id of its response' });
        id = responseId;
        log.add({ op: 'accepted', turn, id });
      },
      ...(sight === undefined
        ? {}
        : {
            onText: (piece) => {
              sight.feed(piece);
              if (sight.count >= (leavesBehind ?? Number.POSITIVE_INFINITY)) leaving.abort();
            },
          }),
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    if (sight !== undefined && id !== undefined) this.viewed(turn, sight, { after: -1, rows: 0, tokens: 0 });
    if (result.type === 'answered' && result.status !== 200) {
      if (isPassing(result.status)) return undefined;
      log.add({ op: 'client saw', turn, what: `its POST was answered ${result.status}: ${result.text.slice(0, 300)}` });
      return { type: 'given up' };
    }
    if (id === undefined) return undefined;
    if (sight !== undefined && result.type === 'answered' && !sight.isDone)
      log.add({ op: 'client saw', turn, what: 'a whole stream without [DONE]' });
    return { type: 'accepted', id, text: result.type === 'answered' && sight === undefined ? result.text : undefined };
  }

  /** Reads on behind what was seen, on any gateway, until the turn's end was seen, or the viewer goes. */
  async watch({ turn, id, pauseMs, leavesBehind, onEvents }: Watching, sight = new Sight()): Promise<Sight> {
    const { log, patienceMs, signal } = this.options;
    const leaving = new AbortController();
    while (!sight.isDone && !this.isOver && !leaving.signal.aborted) {
      sight.reconnect();
      const after = sight.count - 1;
      const before = sight.mark();
      const result = await this.#exchange({
        method: 'GET',
        url: `${this.#url()}/v1/responses/${id}?stream=true${after < 0 ? '' : `&starting_after=${after}`}`,
        patienceMs,
        signal: AbortSignal.any([signal, leaving.signal]),
        ...(pauseMs === undefined ? {} : { pauseMs }),
        onText: (piece) => {
          sight.feed(piece);
          onEvents?.(sight.count);
          if (sight.count >= (leavesBehind ?? Number.POSITIVE_INFINITY)) leaving.abort();
        },
      });
      this.viewed(turn, sight, before);
      if (result.type === 'answered' && result.status !== 200 && !isPassing(result.status)) {
        log.add({ op: 'client saw', turn, what: `a viewer was answered ${result.status}: ${result.text.slice(0, 300)}` });
        break;
      }
      if (result.type === 'answered' && result.status === 200 && !sight.isDone)
        log.add({ op: 'client saw', turn, what: 'a whole stream without [DONE]' });
      if (!sight.isDone) await this.pause();
    }
    return sight;
  }

  /** Until it is answered. */
  async cancel(turn: string, id: string): Promise<'accepted' | 'late' | 'unknown' | 'given up'> {
    const { log, patienceMs, signal } = this.options;
    log.add({ op: 'cancel', turn });
    while (!this.isOver) {
      const result = await this.#exchange({ method: 'POST', url: `${this.#url()}/v1/responses/${id}/cancel`, patienceMs, signal });
      if (result.type === 'answered' && !isPassing(result.status)) {
        const answer = ({ 200: 'accepted', 400: 'late', 404: 'unknown' } as const)[result.status];
        if (answer === undefined) {
          log.add({ op: 'client saw', turn, what: `its cancel was answered ${result.status}: ${result.text.slice(0, 300)}` });
          break;
        }
        log.add({ op: 'cancelled', turn, answer });
        return answer;
      }
      await this.pause();
    }
    return 'given up';
  }

  /** Resolves with the JSON of a 200; undefined where nothing is waited for any more, or the answer is one that may not come. */
  async call(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const { log, signal, patienceMs } = this.options;
    while (!this.isOver) {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const result = await this.#exchange({ method, url: `${this.#url()}${path}`, patienceMs, signal, ...sent });
      if (result.type === 'answered' && result.status === 200) return JSON.parse(result.text);
      if (result.type === 'answered' && !isPassing(result.status)) {
        log.add({ op: 'client saw', turn: '', what: `${path} was answered ${result.status}: ${result.text.slice(0, 300)}` });
        return undefined;
      }
      await this.pause();
    }
    return undefined;
  }

  /** Of any path, whatever the answer. */
  async text(path: string): Promise<string> {
    const { signal, patienceMs } = this.options;
    const result = await this.#exchange({ method: 'GET', url: `${this.#url()}${path}`, patienceMs, signal });
    return result.type === 'answered' ? result.text : '';
  }

  /** Its events from the first to the last, read at once: nothing of it is booked. */
  async readWhole(id: string): Promise<Sight> {
    const { signal } = this.options;
    for (;;) {
      const sight = new Sight();
      const url = `${this.#url()}/v1/responses/${id}?stream=true`;
      const result = await this.#exchange({
        method: 'GET',
        url,
        patienceMs: wholePatienceMs,
        signal,
        onText: (piece) => sight.feed(piece),
      });
      if (result.type === 'answered' && !isPassing(result.status)) return sight;
      if (this.isOver) return sight;
      await this.pause();
    }
  }

  /** Longer each time in a row that nobody answers: clients that keep calling would keep a cluster down that is on its way back. */
  async pause(): Promise<void> {
    const { dice, signal } = this.options;
    const ms = dice.between(50, 600) * 2 ** Math.min(this.#unanswered, mostDoublings);
    this.#unanswered += 1;
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Books what a connection has shown, since it began. */
  viewed(turn: string, sight: Sight, before: SightMark): void {
    const rows = sight.rows.slice(before.rows);
    const { isDone } = sight;
    if (rows !== '') this.#unanswered = 0;
    const firstTokens = sight.firstTokens.slice(before.tokens);
    if (rows.length >= hashChars || isDone) this.options.log.add({ op: 'viewed', turn, after: before.after, rows, isDone, firstTokens });
    for (const what of sight.problems.splice(0)) this.options.log.add({ op: 'client saw', turn, what });
  }

  async #exchange(options: Exchange): Promise<Exchanged> {
    return exchange({
      ...options,
      onHeaders: (status, id) => {
        if (!isPassing(status)) this.#unanswered = 0;
        options.onHeaders?.(status, id);
      },
    });
  }

  #url(): string {
    return this.options.dice.pick(this.options.urls);
  }
}

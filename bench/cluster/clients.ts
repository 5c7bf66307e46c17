/**
 * Clients of the cluster, in a process of their own: turns that arrive at random moments, streams that are read as they come, and a
 * crowd that watches one turn. Bytes are counted and compared, not kept.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from '../soak/dice.ts';
import { serveCalls } from '../support/child.ts';
import { clockMs } from '../support/clock.ts';
import { type Order, promptOf } from '../support/orders.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import { ResponseReader } from './http-stream.ts';

export interface Target {
  /** Of the gateways, taken by turns; without `/v1`. */
  readonly urls: readonly string[];
  readonly apiKey: string;
}

export interface Arrivals extends Target {
  readonly conversations: readonly string[];
  readonly perSecond: number;
  readonly seconds: number;
  readonly seed: number;
  readonly order: Order;
}

export interface Arrived {
  readonly turns: number;
  /** From the moment a turn was due to its first token and to its end. */
  readonly firstToken: Spread;
  readonly end: Spread;
  /** Had their end when the last second was over. */
  readonly endedInTime: number;
  readonly tookMs: number;
  readonly bytes: number;
  readonly failures: readonly string[];
}

export interface Streams extends Target {
  readonly count: number;
  readonly order: Order;
  /** All have begun within it. */
  readonly rampMs: number;
}

export interface Streamed {
  /** Of each token, from when the model wrote it. */
  readonly lag: Spread;
  readonly lateShare: number;
  readonly tokens: number;
  readonly bytes: number;
  readonly failures: readonly string[];
}

export interface Crowd extends Target {
  readonly turn: string;
  readonly viewers: number;
}

export interface Watched {
  readonly lag: Spread;
  readonly lateShare: number;
  readonly ended: number;
  /** Of those that ended, how many have read exactly what the first of all has read. */
  readonly identical: number;
  readonly bytesEach: number;
  readonly tokens: number;
  /** Pieces that the system handed over, by which a viewer's CPU is counted here. */
  readonly pieces: number;
}

const lateAfterMs = 250;
const stamp = Buffer.from('"delta":" t');
const firstDelta = Buffer.from('event: response.output_text.delta');
const nothing = Buffer.alloc(0);

/** A connection that takes one request after the other. */
class Connection {
  readonly #socket: Socket;
  #onBody: (body: Buffer) => void = () => undefined;
  #ending = Promise.withResolvers<void>();

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    const reader = new ResponseReader({ onBody: (body) => this.#onBody(body), onEnd: () => this.#ending.resolve() });
    this.#ending.promise.catch(() => undefined);
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket
      .on('data', (piece) => {
        try {
          reader.feed(piece);
        } catch (error) {
          this.#socket.destroy(error as Error);
        }
      })
      .on('error', (error) => this.#ending.reject(error))
      .on('close', () => this.#ending.reject(new Error('the connection was closed')));
  }

  /** Resolves when the answer is whole. */
  async send(request: string, onBody: (body: Buffer) => void): Promise<void> {
    this.#onBody = onBody;
    this.#ending = Promise.withResolvers();
    this.#ending.promise.catch(() => undefined);
    this.#socket.write(request);
    await this.#ending.promise;
  }

  close(): void {
    this.#socket.destroy();
  }
}

const idle = new Map<string, Connection[]>();

async function request(url: string, text: string, onBody: (body: Buffer) => void): Promise<void> {
  const connection = idle.get(url)?.pop() ?? new Connection(url);
  await connection.send(text, onBody);
  const others = idle.get(url) ?? [];
  others.push(connection);
  idle.set(url, others);
}

function postText({ apiKey }: Target, body: object): string {
  const text = JSON.stringify(body);
  const head = `POST /v1/responses HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\n`;
  return `${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

const turnBody = (order: Order, conversation?: string): object => ({
  model: 'scripted',
  input: promptOf(order),
  stream: true,
  ...(conversation === undefined ? {} : { conversation }),
});

/** Each token of a piece of a body; an event may have several. What lies across two pieces is not counted. */
function stampsIn(body: Buffer, onStamp: (atMs: number) => void): void {
  for (let at = body.indexOf(stamp); at !== -1; at = body.indexOf(stamp, at + stamp.length)) {
    const from = at + stamp.length;
    const to = body.indexOf('"', from, 'latin1');
    if (to !== -1) for (const text of body.toString('latin1', from, to).split(' t')) onStamp(Number(text));
  }
}

async function arrive(load: Arrivals): Promise<Arrived> {
  const dice = new Dice(load.seed, 'arrivals');
  const [firstMs, endMs]: [number[], number[]] = [[], []];
  const failures: string[] = [];
  let bytes = 0;
  let endedInTime = 0;
  const startedAtMs = clockMs() + 50;
  const untilMs = startedAtMs + load.seconds * 1_000;
  const asking: Promise<void>[] = [];
  const ask = async (n: number, dueAtMs: number): Promise<void> => {
    let firstAtMs = Number.NaN;
    try {
      const url = load.urls[n % load.urls.length] ?? '';
      const body = turnBody(load.order, load.conversations[n % load.conversations.length]);
      await request(url, postText(load, body), (piece) => {
        bytes += piece.length;
        if (Number.isNaN(firstAtMs) && piece.includes(firstDelta)) firstAtMs = clockMs();
      });
      firstMs.push(firstAtMs - dueAtMs);
      endMs.push(clockMs() - dueAtMs);
      if (clockMs() <= untilMs) endedInTime += 1;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  };
  for (let dueAtMs = startedAtMs + dice.gapMs(load.perSecond); dueAtMs < untilMs; dueAtMs += dice.gapMs(load.perSecond)) {
    const waitMs = dueAtMs - clockMs();
    if (waitMs > 1) await sleep(waitMs);
    asking.push(ask(asking.length, dueAtMs));
  }
  await Promise.all(asking);
  return {
    turns: asking.length,
    firstToken: spreadOf(firstMs),
    end: spreadOf(endMs),
    endedInTime,
    tookMs: clockMs() - startedAtMs,
    bytes,
    failures: [...new Set(failures)],
  };
}

async function stream(load: Streams): Promise<Streamed> {
  const lagsMs: number[] = [];
  const failures: string[] = [];
  let bytes = 0;
  await Promise.all(
    Array.from({ length: load.count }, async (_, n) => {
      await sleep((n * load.rampMs) / load.count);
      try {
        await request(load.urls[n % load.urls.length] ?? '', postText(load, turnBody(load.order)), (piece) => {
          const nowMs = clockMs();
          bytes += piece.length;
          stampsIn(piece, (atMs) => lagsMs.push(nowMs - atMs));
        });
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }),
  );
  return { lag: spreadOf(lagsMs), lateShare: lateShareOf(lagsMs), tokens: lagsMs.length, bytes, failures: [...new Set(failures)] };
}

const lateShareOf = (lagsMs: readonly number[]): number => lagsMs.filter((lagMs) => lagMs > lateAfterMs).length / lagsMs.length;

/** One viewer in so many tells how late tokens are; all are compared. */
const sampledOf = 10;
const connectsAtOnce = 100;

interface Watching {
  readonly sockets: Connection[];
  readonly done: Promise<Watched>;
  lagsMs: number[];
}

let watching: Watching | undefined;

/** Resolves when every viewer has the first events. */
async function watch({ urls, apiKey, turn, viewers }: Crowd): Promise<void> {
  // What whoever has come furthest has read: the others must have the same, byte for byte.
  let reference = Buffer.alloc(1_048_576);
  let referenceBytes = 0;
  let ended = 0;
  let identical = 0;
  let pieces = 0;
  let last: Buffer = nothing;
  const own: Watching = { sockets: [], done: Promise.resolve({} as Watched), lagsMs: [] };
  watching = own;
  const follow = (n: number): { readonly opened: Promise<void>; readonly ended: Promise<void> } => {
    let bytes = 0;
    let isSame = true;
    const opened = Promise.withResolvers<void>();
    const connection = new Connection(urls[n % urls.length] ?? '');
    own.sockets.push(connection);
    const head = `GET /v1/responses/${turn}?stream=true HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${apiKey}\r\n\r\n`;
    const reading = connection
      .send(head, (piece) => {
        pieces += 1;
        opened.resolve();
        if (bytes < referenceBytes) {
          const shared = Math.min(piece.length, referenceBytes - bytes);
          if (reference.compare(piece, 0, shared, bytes, bytes + shared) !== 0) isSame = false;
        }
        if (bytes + piece.length > referenceBytes) {
          if (bytes + piece.length > reference.length) reference = Buffer.concat([reference, Buffer.alloc(reference.length)]);
          piece.copy(reference, bytes);
          referenceBytes = bytes + piece.length;
          last = piece;
        }
        bytes += piece.length;
        if (n % sampledOf !== 0) return;
        const nowMs = clockMs();
        stampsIn(piece, (atMs) => own.lagsMs.push(nowMs - atMs));
      })
      .then(() => {
        ended += 1;
        if (isSame && bytes === referenceBytes) identical += 1;
      });
    reading.catch((error: unknown) => opened.reject(error as Error));
    return { opened: opened.promise, ended: reading.catch(() => undefined) };
  };
  const readings: Promise<void>[] = [];
  for (let from = 0; from < viewers; from += connectsAtOnce) {
    const group = Array.from({ length: Math.min(connectsAtOnce, viewers - from) }, (_, at) => follow(from + at));
    readings.push(...group.map((one) => one.ended));
    await Promise.all(group.map((one) => one.opened));
  }
  pieces = 0;
  const done = Promise.all(readings).then((): Watched => {
    let tokens = 0;
    stampsIn(reference.subarray(0, referenceBytes), () => (tokens += 1));
    if (!last.includes('[DONE]')) throw new Error('the stream is not whole');
    return { lag: spreadOf(own.lagsMs), lateShare: lateShareOf(own.lagsMs), ended, identical, bytesEach: referenceBytes, tokens, pieces };
  });
  done.catch(() => undefined);
  Object.assign(own, { done });
}

serveCalls({
  arrive,
  stream,
  watch,
  watched: () => watching?.done,
  leave: () => {
    for (const connection of watching?.sockets ?? []) connection.close();
    watching = undefined;
  },
});

/**
 * One WebSocket, within bounds: what a client sends is counted while it comes, what it does not take is not written, and a
 * client that has vanished is let go of. Nothing here knows what the messages say.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { ViewerEnd } from '../../../domain/turn/viewer.ts';
import type { JournalRow } from '../../../domain/response/response-event.ts';
import { httpLimits } from '../../../http/server.ts';
import type { BodyHold } from '../../http/body-budget.ts';
import { defaultIdleMs } from '../../stream/keep-alive.ts';

export interface SocketLimits {
  /** Between two pings; they keep proxies from closing a silent connection. */
  readonly pingEveryMs: number;
  /** A client that has sent nothing for so long, not even the pongs that each WebSocket library sends by itself, is gone. */
  readonly deadAfterMs: number;
  /** For one message, from its first bytes. */
  readonly messageTimeoutMs: number;
  /** How long a client may take nothing of a response that is over: until then it is held back in memory. */
  readonly unreadTimeoutMs: number;
}

export const socketLimits: SocketLimits = {
  pingEveryMs: defaultIdleMs,
  deadAfterMs: 4 * defaultIdleMs,
  messageTimeoutMs: 60_000,
  unreadTimeoutMs: httpLimits.unreadTimeoutMs,
};

/** Of messages that are no events of a journal, such as errors: while a client does not take more of them, it is not read. */
const maxUntakenBytes = 256 * 1024;

/** A message shorter than this is not counted while it comes: control frames, and the rest of the chunk before it, are no message. */
const uncountedBytes = 128 * 1024;
/** Of a masked control frame, beside its data. */
const controlFrameBytes = 6;

/** Codes of RFC 6455 and its registry. */
export const closeCodes = { policyViolation: 1008, serviceRestart: 1012, tryAgainLater: 1013 } as const;

export interface ClientSocketOptions {
  readonly socket: WebSocket;
  /** Which `socket` is on. */
  readonly raw: Socket;
  /** For the message that is coming; released once it is here. */
  readonly incoming: BodyHold;
  readonly limits?: SocketLimits | undefined;
  /** Is a response over that the client has not taken to its end? Asked while it takes nothing. */
  readonly hasUntakenEnd: () => Promise<boolean>;
}

export class ClientSocket {
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #incoming: BodyHold;
  readonly #limits: SocketLimits;
  readonly #hasUntakenEnd: () => Promise<boolean>;
  readonly #onTaken = new Map<string, () => void>();
  readonly #pinging: NodeJS.Timeout;
  #messageTimer: NodeJS.Timeout | undefined;
  #receivedBytes = 0;
  #heardAt = performance.now();
  #untakenBytes = 0;
  /** Who waits for room. */
  #writers = 0;
  #pings = 0;
  #goneBy: ViewerEnd = 'left';
  /** How many ask the client to wait with more messages. */
  #pauses = 0;
  /** By our own close. */
  #isClosing = false;

  constructor({ socket, raw, incoming, limits = socketLimits, hasUntakenEnd }: ClientSocketOptions) {
    this.#socket = socket;
    this.#raw = raw;
    this.#incoming = incoming;
    this.#limits = limits;
    this.#hasUntakenEnd = hasUntakenEnd;
    // Before the listener of `ws`, by which a message that is whole has been handled.
    raw.prependListener('data', (chunk: Buffer) => {
      this.#count(chunk.length);
    });
    socket.on('message', () => {
      this.#messageIsHere();
    });
    socket.on('ping', (data: Buffer) => {
      this.#controlIsHere(data);
    });
    socket.on('pong', (data: Buffer) => {
      this.#controlIsHere(data);
      this.#take(String(data));
    });
    // Its close follows: a protocol error, a message over the limit, a reset.
    socket.on('error', () => {
      this.#goneBy = 'reset';
    });
    socket.once('close', () => {
      clearInterval(this.#pinging);
      this.#messageIsHere();
    });
    raw.on('timeout', () => void this.#cutIfOver());
    this.#pinging = setInterval(() => {
      this.#ping();
    }, this.#limits.pingEveryMs);
  }

  /** An event of our own, such as an error. @param onSent called once the system has it, or the connection has ended */
  send(text: string, onSent?: () => void): void {
    const bytes = Buffer.byteLength(text);
    this.#untakenBytes += bytes;
    const isFull = this.#untakenBytes > maxUntakenBytes;
    if (isFull) this.pause();
    this.#socket.send(text, () => {
      this.#untakenBytes -= bytes;
      if (isFull) this.resume();
      this.#watch();
      onSent?.();
    });
    this.#watch();
  }

  /** As `send`, for what may be long. Resolves once the system has it, or the connection has ended. */
  async sent(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.send(text, resolve);
    });
  }

  /**
   * The events of a response, one message each. Resolves when there is room for more: a slow client lags on its own cursor,
   * and nothing waits for it (T12).
   */
  async write(messages: readonly (Buffer | string)[], signal: AbortSignal): Promise<void> {
    // One write of the system.
    this.#raw.cork();
    for (const message of messages) this.#socket.send(message, { binary: false });
    this.#raw.uncork();
    while (this.#raw.writableNeedDrain && !signal.aborted) {
      this.#writers += 1;
      this.#watch();
      await once(this.#raw, 'drain', { signal }).catch(() => undefined);
      this.#writers -= 1;
      this.#watch();
    }
  }

  /** Node's timeout counts from the last byte that the system took. */
  #watch(): void {
    const isWaiting = this.#writers > 0 || this.#untakenBytes > maxUntakenBytes;
    const timeoutMs = isWaiting ? this.#limits.unreadTimeoutMs : 0;
    if ((this.#raw.timeout ?? 0) !== timeoutMs) this.#raw.setTimeout(timeoutMs);
  }

  /**
   * Calls back once the client has all that was written before, if it ever says so: by the pong to a ping that follows it, or
   * by closing the connection properly. Never for what was written behind our own close: it was not sent.
   * @param what twice the same counts once
   */
  onTaken(what: string, then: () => void): void {
    if (this.#isClosing) return;
    this.#onTaken.set(what, then);
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping(what);
  }

  /** The client has closed the connection by the rules: what was written before has arrived. */
  closedProperly(): void {
    for (const what of this.#onTaken.keys()) this.#take(what);
  }

  /** No more messages are read, until each who asked for it has called `resume`. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses === 1) this.#socket.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#socket.resume();
  }

  close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#goneBy = 'cut';
    this.#socket.terminate();
  }

  /** How the connection ended, once it has: by the client, unless something else is known. */
  get goneBy(): ViewerEnd {
    return this.#goneBy;
  }

  #take(what: string): void {
    const then = this.#onTaken.get(what);
    this.#onTaken.delete(what);
    then?.();
  }

  #count(bytes: number): void {
    this.#heardAt = performance.now();
    this.#receivedBytes += bytes;
    if (this.#receivedBytes <= uncountedBytes) return;
    this.#messageTimer ??= setTimeout(() => {
      this.close(closeCodes.policyViolation, 'the message took too long to arrive');
      this.terminate();
    }, this.#limits.messageTimeoutMs);
    try {
      this.#incoming.grow(this.#receivedBytes);
    } catch {
      // Nobody can answer a message that is not here; the rest of it is not to be read.
      this.close(closeCodes.tryAgainLater, 'too much is being sent at once (TURNKEEP_MAX_BODY_BYTES_AT_ONCE)');
      this.pause();
      setTimeout(() => {
        this.terminate();
      }, lastWordsMs).unref();
    }
  }

  /** Pings and pongs are no part of a message: without one, a connection that lives long would seem to be sending one. */
  #controlIsHere({ length }: Buffer): void {
    this.#receivedBytes = Math.max(0, this.#receivedBytes - length - controlFrameBytes);
  }

  #messageIsHere(): void {
    this.#receivedBytes = 0;
    clearTimeout(this.#messageTimer);
    this.#messageTimer = undefined;
    this.#incoming.release();
  }

  #ping(): void {
    // A client that is not read, or reads nothing itself, cannot be heard: TCP finds out whether it is there.
    if (this.#pauses > 0 || this.#raw.writableNeedDrain) this.#heardAt = performance.now();
    if (performance.now() - this.#heardAt > this.#limits.deadAfterMs) {
      this.terminate();
      return;
    }
    this.#pings += 1;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping(`ping ${this.#pings}`);
  }

  /**
   * The client has taken nothing for `unreadTimeoutMs`. While its responses run it may pause for as long as it likes, but not
   * with much of what it was answered beside them.
   */
  async #cutIfOver(): Promise<void> {
    // A database that does not answer just now is asked again.
    if (this.#untakenBytes > maxUntakenBytes || (await this.#hasUntakenEnd().catch(() => false))) this.terminate();
    else if (this.#raw.writableNeedDrain) this.#raw.setTimeout(this.#limits.unreadTimeoutMs);
  }
}

/** For a close frame to go out. */
const lastWordsMs = 1_000;

/** A batch is the same array for all viewers at the same place of a turn (`Store.follow`), so the array is the key. */
const encodedBatches = new WeakMap<readonly JournalRow[], readonly Buffer[]>();

/** The messages of a batch: each is the event's JSON as the journal has it (T7). In a named stream it says its stream's name at its end. */
export function encodeMessages(rows: readonly JournalRow[], streamId: string | undefined): readonly (Buffer | string)[] {
  if (streamId !== undefined) return rows.map(({ data }) => withStreamId(data, streamId));
  let encoded = encodedBatches.get(rows);
  if (encoded === undefined) {
    encoded = rows.map(({ data }) => Buffer.from(data));
    encodedBatches.set(rows, encoded);
  }
  return encoded;
}

/** @param json an object's, with members */
export function withStreamId(json: string, streamId: string | undefined): string {
  return streamId === undefined ? json : `${json.slice(0, -1)},"stream_id":${JSON.stringify(streamId)}}`;
}

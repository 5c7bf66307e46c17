/** The order of a connection's responses: one after the other in a stream, streams beside each other. */
import { ApiError } from '../../http/errors.ts';

/** As OpenAI has it: of one connection, in all of its streams. More wait. */
const maxRunning = 16;
/** Distinct names of streams in the life of a connection. */
const maxNamed = 32;
/** Requests of one connection that wait: more are refused. */
const maxWaiting = 64;

const streamIdPattern = /^[A-Za-z0-9_.-]{1,256}$/;

export class Lanes {
  readonly #tails = new Map<string | undefined, Promise<void>>();
  readonly #named = new Set<string>();
  readonly #onIdle: () => void;
  readonly #forRoom: (() => void)[] = [];
  #running = 0;
  #jobs = 0;

  /** @param onIdle called whenever nothing runs or waits any more */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /** Does nothing run or wait? */
  get isIdle(): boolean {
    return this.#jobs === 0;
  }

  /** @throws ApiError 400 naming `stream_id` */
  open(streamId: unknown): string | undefined {
    if (streamId === undefined) return undefined;
    if (typeof streamId !== 'string' || !streamIdPattern.test(streamId)) {
      throw new ApiError({
        status: 400,
        param: 'stream_id',
        code: 'invalid_stream_id',
        message: `Invalid 'stream_id': must be 1 to 256 letters, digits, "_", "-" or ".". Leave it out for the default stream.`,
      });
    }
    if (!this.#named.has(streamId) && this.#named.size >= maxNamed) {
      throw new ApiError({
        status: 400,
        param: 'stream_id',
        code: 'websocket_stream_limit_reached',
        message: `A connection has ${maxNamed} named streams at most. Use one of them again, or open another connection.`,
      });
    }
    this.#named.add(streamId);
    return streamId;
  }

  /** Runs the job behind all that was given to its lane before. @param job never rejects @throws ApiError 429 when too many wait */
  run(lane: string | undefined, job: () => Promise<void>): void {
    if (this.#jobs - this.#running >= maxWaiting) {
      throw new ApiError({
        status: 429,
        code: 'websocket_queue_full',
        message: `${maxWaiting} requests of this connection wait already. Send this one again when a response has ended.`,
        headers: { 'retry-after': '1' },
      });
    }
    this.#jobs += 1;
    const tail = (this.#tails.get(lane) ?? Promise.resolve()).then(() => this.#runInRoom(job));
    this.#tails.set(lane, tail);
    void tail.finally(() => {
      if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
      this.#jobs -= 1;
      if (this.#jobs === 0) this.#onIdle();
    });
  }

  async #runInRoom(job: () => Promise<void>): Promise<void> {
    if (this.#running >= maxRunning) await new Promise<void>((resolve) => this.#forRoom.push(resolve));
    else this.#running += 1;
    try {
      await job();
    } finally {
      // Whoever waits takes over this one's room.
      const next = this.#forRoom.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

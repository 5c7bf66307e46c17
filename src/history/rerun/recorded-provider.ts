/** A provider that answers from a recording: the real parsers over a connection that has the recorded bytes, or what was read of them. */
import { createProvider } from '../../providers/create-provider.ts';
import { ResponseBody } from '../../providers/http/body.ts';
import { type Connection, HttpStatusError, type IncomingResponse, type OutgoingRequest } from '../../providers/http/connection.ts';
import type { DeadlineName } from '../../providers/http/deadlines.ts';
import type { MakeDeadlines } from '../../providers/http/exchange.ts';
import { maskOfKey } from '../../providers/http/key-mask.ts';
import { type Provider, ProviderError } from '../../providers/provider.ts';
import type { ModelEvent } from '../../domain/model.ts';
import type { RecordedError, RecordingEntry } from '../../domain/turn/recording.ts';
import type { RecordedRun } from '../../store/recordings/decode.ts';
import type { Player } from './player.ts';

/** One exchange of a run. No `end`: the process was lost in it. */
interface Exchange {
  readonly head?: Extract<RecordingEntry, { readonly type: 'head' }>;
  readonly chunks: readonly Uint8Array[];
  readonly end?: Extract<RecordingEntry, { readonly type: 'end' }>;
}

/** @param isKept the provider keeps the answer, which is read by whoever comes */
export function recordedProvider(run: RecordedRun, player: Player, isKept: boolean): Provider {
  const asked = run.entries.find((entry) => entry.type === 'asked');
  const begin = run.entries.find((entry) => entry.type === 'begin');
  const request = run.entries.find((entry) => entry.type === 'request');
  const maxOutputBytes = begin?.max_output_bytes ?? 0;
  const provider = createProvider({
    api: asked?.api === 'chat' ? 'chat' : 'responses',
    baseUrl: request?.url.replace(/\/(?:chat\/completions|responses(?:\/[^?]*)?)(?:\?.*)?$/, ''),
    apiKey: maskIn(run),
    limits: { connectTimeoutMs: 1, firstEventTimeoutMs: 1, idleTimeoutMs: 1, maxOutputBytes },
    reattach: isKept,
    connection: recordedConnection(exchangesOf(run), player),
  });
  if (!player.isOfAnswers) return provider;
  const { background: _background, ...rest } = provider;
  return { ...rest, stream: (_request, signal) => recordedEvents(run, player, signal) };
}

/** What stands for the key in the bytes: as long as it was. */
function maskIn({ entries }: RecordedRun): string | undefined {
  for (const entry of entries) {
    const masked = entry.type === 'chunk' ? /\u007F{8,}/.exec(Buffer.from(entry.bytes).toString('latin1'))?.[0] : undefined;
    if (masked !== undefined) return maskOfKey(masked.length);
  }
  return undefined;
}

function exchangesOf({ entries }: RecordedRun): readonly Exchange[] {
  const starts = entries.flatMap((entry, at) => (entry.type === 'request' ? [at] : []));
  return starts.map((start, index) => {
    const own = entries.slice(start, starts[index + 1]);
    const [head, end] = [own.find((entry) => entry.type === 'head'), own.find((entry) => entry.type === 'end')];
    const chunks = own.flatMap((entry) => (entry.type === 'chunk' ? [entry.bytes] : []));
    return { chunks, ...(head === undefined ? {} : { head }), ...(end === undefined ? {} : { end }) };
  });
}

function recordedConnection(exchanges: readonly Exchange[], player: Player): Connection {
  const left = [...exchanges];
  let expire: (name: string) => void = () => undefined;
  const makeDeadlines: MakeDeadlines = (_limitsMs, onExpired) => {
    let expired: DeadlineName | undefined;
    expire = (name) => {
      expired = name as DeadlineName;
      onExpired();
    };
    return {
      get expired() {
        return expired;
      },
      pause: () => undefined,
      restart: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
  };
  const answer = async (request: OutgoingRequest): Promise<IncomingResponse> => {
    const exchange = left.shift();
    // What came of a try to read a kept answer on is in the end of the exchange before.
    if (exchange === undefined && exchanges.at(-1)?.end !== undefined) throw new Error('nothing more was recorded');
    // Nothing was sent then: whoever was about to was stopped before, or its process was lost.
    if (exchange?.head === undefined) return endWithoutHead(exchange, request);
    const { head, chunks, end } = exchange;
    const body = new RecordedBody(chunks, player, async () => {
      if (end === undefined || end.how === 'aborted') return (await player.atEnd()) ? undefined : untilAborted(request.signal);
      await player.quiet();
      if (end.how === 'deadline') expire(end.deadline);
      if (end.how === 'broken') throw errorOf(end.cause);
      return undefined;
    });
    request.signal.addEventListener('abort', () => body.close(), { once: true });
    const response = { status: head.status, headers: new Headers(head.headers), body };
    if (head.status < 200 || head.status > 299) throw new HttpStatusError(response);
    return response;
  };
  const endWithoutHead = async (exchange: Exchange | undefined, { signal }: OutgoingRequest): Promise<never> => {
    const end = exchange?.end;
    if (end?.how === 'broken') throw errorOf(end.cause);
    if (end?.how === 'deadline') expire(end.deadline);
    else await player.atEnd();
    await untilAborted(signal);
    throw signal.reason;
  };
  return { send: answer, deadlines: makeDeadlines, close: async () => undefined };
}

/** Hands out the recorded chunks one by one, and then what the exchange came to. */
class RecordedBody extends ResponseBody {
  readonly #chunks: Uint8Array[];
  readonly #player: Player;
  readonly #atEnd: () => Promise<void>;
  #isReady = false;
  #isClosed = false;

  constructor(chunks: readonly Uint8Array[], player: Player, atEnd: () => Promise<void>) {
    super();
    this.#chunks = [...chunks];
    this.#player = player;
    this.#atEnd = atEnd;
  }

  override take(): Uint8Array | undefined {
    const chunk = this.#isReady ? this.#chunks.shift() : undefined;
    this.#isReady = false;
    if (chunk !== undefined) this.onTake?.(chunk);
    return chunk;
  }

  override async hasMore(): Promise<boolean> {
    if (this.#isClosed) return false;
    if (this.#chunks.length > 0) {
      await this.#player.beforeMore();
      this.#isReady = !this.#isClosed;
      return this.#isReady;
    }
    await this.#atEnd();
    return false;
  }

  override close(): void {
    this.#isClosed = true;
  }

  override discard(): void {
    this.#isClosed = true;
  }
}

async function* recordedEvents(run: RecordedRun, player: Player, signal: AbortSignal): AsyncGenerator<ModelEvent, void, undefined> {
  for (const entry of run.entries) {
    if (entry.type === 'event') {
      await player.beforeMore();
      signal.throwIfAborted();
      yield entry.event;
      signal.throwIfAborted();
    } else if (entry.type === 'failure') throw new ProviderError(entry.failure);
  }
  const isOver = run.entries.some(({ type }) => type === 'done') && !run.entries.some(({ type }) => type === 'abort');
  if (!isOver && !(await player.atEnd())) await untilAborted(signal);
  signal.throwIfAborted();
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

function errorOf({ name, message, code, cause, errors }: RecordedError): Error {
  const options = cause === undefined ? {} : { cause: errorOf(cause) };
  const error = errors === undefined ? new Error(message, options) : new AggregateError(errors.map(errorOf), message, options);
  return Object.assign(error, { name }, code === undefined ? {} : { code });
}

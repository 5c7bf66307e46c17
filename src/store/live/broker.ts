/**
 * The turns that somebody in this process follows. What this process writes is handed on at once; what another has
 * written is looked for when the signal says so, and read once a turn, however many follow it. While nobody follows,
 * nothing is watched.
 */
import type { JournalRow } from '../../domain/response/response-event.ts';
import { type ChannelReads, JournalChannel } from './channel.ts';
import { HeadReads, RowReads } from './reads.ts';
import type { ChangeSignal, JournalSource } from './source.ts';
import type { Follower } from './wave.ts';

/** Not all that happens to a journal is signalled or announced (such as dropping it): every so often it is looked at anyway. */
const unannouncedMs = 1_000;

export class JournalBroker {
  readonly #reads: ChannelReads;
  readonly #signal: ChangeSignal;
  readonly #crowd: number | undefined;
  readonly #channels = new Map<string, JournalChannel>();
  #stopWatching: (() => void) | undefined;

  /** @param crowd see `JournalChannel` */
  constructor(source: JournalSource, signal: ChangeSignal, crowd?: number) {
    this.#reads = { heads: new HeadReads(source), newest: new RowReads(source), past: new RowReads(source) };
    this.#signal = signal;
    this.#crowd = crowd;
  }

  /** Until `leave`. The follower is woken once there is something to know, never before this returns. */
  join(turn: string, follower: Follower): JournalChannel {
    let channel = this.#channels.get(turn);
    if (channel === undefined || channel.failure !== undefined) {
      channel = new JournalChannel(turn, this.#reads, this.#crowd);
      this.#channels.set(turn, channel);
      // Before the first look at it: what is written in between is signalled.
      this.#watch();
      channel.add(follower);
      channel.refresh();
    } else {
      channel.add(follower);
    }
    return channel;
  }

  leave(channel: JournalChannel, follower: Follower): void {
    channel.delete(follower);
    if (channel.isEmpty && this.#channels.get(channel.turn) === channel) this.#channels.delete(channel.turn);
    if (this.#channels.size === 0) this.#unwatch();
  }

  /** See `JournalStore.untilSealed`. */
  async untilSealed(turn: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiter: Follower = {
      wantsRows: false,
      wake() {
        if (channel.isSealed) resolve(true);
        else if (channel.failure !== undefined) reject(channel.failure);
      },
    };
    const onAbort = (): void => {
      resolve(false);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const channel = this.join(turn, waiter);
    waiter.wake();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.leave(channel, waiter);
    }
  }

  /** This process has committed these rows. Never throws: what is written is written. */
  announce(turn: string, rows: readonly JournalRow[], isSealed: boolean): void {
    const channel = this.#channels.get(turn);
    // Another process wrote before us, and has not been seen yet.
    if (channel?.push(rows, isSealed) === false) channel.refresh();
  }

  close(): void {
    this.#failAll(new Error('the store was closed'));
  }

  #watch(): void {
    if (this.#stopWatching !== undefined) return;
    const stop = this.#signal.watch({
      onChange: (turn, last) => {
        if (turn === undefined) this.#refreshAll();
        else this.#channels.get(turn)?.refreshFor(last);
      },
      onFailure: (error) => {
        this.#failAll(error);
      },
    });
    const look = setInterval(() => {
      this.#refreshAll();
    }, unannouncedMs).unref();
    this.#stopWatching = () => {
      stop();
      clearInterval(look);
    };
  }

  #unwatch(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #refreshAll(): void {
    this.#reads.heads.askForAll(this.#channels.values());
  }

  #failAll(error: unknown): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    this.#unwatch();
    for (const channel of channels) channel.fail(error);
  }
}

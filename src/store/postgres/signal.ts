/** How processes on several machines notice each other's rows: NOTIFY after each commit, and LISTEN on one connection a process. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ChangeSignal, ChangeWatcher } from '../live/source.ts';
import { readPayload } from './notifications.ts';
import { Notifier } from './notifier.ts';

const firstPauseMs = 50;
const longestPauseMs = 2_000;

export interface SignalOptions {
  /** For NOTIFY: a pooler may stand in between. */
  readonly config: pg.ClientConfig;
  /** For LISTEN: straight to the server, since a pooler gives a connection to others after each transaction. */
  readonly listenConfig: pg.ClientConfig;
  /** Where the tables are: those of another schema have notifications of their own. */
  readonly schema: string;
  /** How often the connection is tried, and how long an answer may take: one end may be gone without a word. 3 s where nothing is said. */
  readonly probeMs?: number;
  /** How long it listens on when nobody watches any more: somebody may soon. 5 s where nothing is said. */
  readonly lingerMs?: number;
}

/**
 * See `ChangeSignal`. Notifications may be lost, with the connection that they come by or before they are sent. After each time
 * that it could not listen, it says that any journal may have changed; beyond that, those who follow look every second.
 */
export class PostgresSignal implements ChangeSignal {
  readonly #options: Required<SignalOptions>;
  readonly #channel: string;
  /** Not of the server's: a pooler shares its connections among processes. */
  readonly #sender = randomBytes(6).toString('base64url');
  readonly #notifier: Notifier;
  readonly #watchers = new Set<ChangeWatcher>();
  #listening: AbortController | undefined;
  #linger: NodeJS.Timeout | undefined;
  #listener: pg.Client | undefined;
  #isClosed = false;

  constructor(options: SignalOptions) {
    this.#options = { probeMs: 3_000, lingerMs: 5_000, ...options };
    this.#channel = `turnkeep_${options.schema}`.slice(0, 63);
    this.#notifier = new Notifier({ config: options.config, channel: this.#channel, sender: this.#sender });
  }

  /** What others write is noticed at once, as far as is known; without it, within a second. */
  get isListening(): boolean {
    return this.#listener !== undefined;
  }

  /** This process has committed rows of this journal, up to `last`. Never throws, and never waits. */
  notify(turn: string, last: number): void {
    this.#notifier.add(turn, last);
  }

  watch(watcher: ChangeWatcher): () => void {
    // A watcher of its own for each call, whoever it is.
    const own: ChangeWatcher = { onChange: (turn, last) => watcher.onChange(turn, last), onFailure: (error) => watcher.onFailure(error) };
    this.#watchers.add(own);
    clearTimeout(this.#linger);
    if (this.#listening === undefined && !this.#isClosed) {
      this.#listening = new AbortController();
      void this.#listen(this.#listening.signal);
    }
    return () => {
      this.#watchers.delete(own);
      if (this.#watchers.size > 0) return;
      clearTimeout(this.#linger);
      this.#linger = setTimeout(() => this.#stop(), this.#options.lingerMs).unref();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#linger);
    this.#stop();
    await this.#notifier.close();
  }

  #stop(): void {
    this.#listening?.abort();
    this.#listening = undefined;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    let pauseMs = firstPauseMs;
    const onListening = (): void => {
      pauseMs = firstPauseMs;
    };
    while (!signal.aborted) {
      await this.#listenOnce(signal, onListening).catch(() => undefined);
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  /** Until the connection breaks or is not needed any more. */
  async #listenOnce(signal: AbortSignal, onListening: () => void): Promise<void> {
    const { listenConfig, probeMs } = this.#options;
    const client = new pg.Client({
      ...listenConfig,
      pipeline: false,
      keepAlive: true,
      query_timeout: probeMs,
      connectionTimeoutMillis: listenConfig.connectionTimeoutMillis ?? probeMs,
    });
    const ended = new AbortController();
    client.on('error', () => ended.abort());
    client.on('end', () => ended.abort());
    client.on('notification', ({ channel, payload }) => {
      if (channel === this.#channel) this.#hand(payload ?? '');
    });
    const isOver = AbortSignal.any([signal, ended.signal]);
    try {
      await client.connect();
      await client.query(`LISTEN ${client.escapeIdentifier(this.#channel)}`);
      if (signal.aborted) return;
      this.#listener = client;
      onListening();
      // What was written until now was told to nobody here.
      this.#tell();
      while (!isOver.aborted) {
        await delay(probeMs, undefined, { signal: isOver, ref: false }).catch(() => undefined);
        if (!isOver.aborted) await client.query('SELECT 1');
      }
    } finally {
      if (this.#listener === client) this.#listener = undefined;
      await client.end();
    }
  }

  #hand(payload: string): void {
    const read = readPayload(payload);
    if (read?.sender === this.#sender) return;
    if (read === undefined || read.changes === 'any') this.#tell();
    else for (const [turn, last] of read.changes) this.#tell(turn, last);
  }

  #tell(turn?: string, last?: number): void {
    for (const watcher of this.#watchers) watcher.onChange(turn, last);
  }
}

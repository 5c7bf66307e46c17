/** Tells other processes which journals have got rows, after these are committed. */
import pg from 'pg';
import { payloadOfAny, payloadsOf } from './notifications.ts';

/** A commit that notifies takes a lock of the whole server: all changes of a moment share one. */
const gatherMs = 2;
/** With more turns than these others look at all that they follow. */
const manyTurns = 5_000;
const pauseMs = 1_000;
const answerTimeoutMs = 5_000;

/**
 * What it is told may be lost: those who follow look by themselves every second. So it waits for nothing and keeps nothing: what
 * cannot be sent is dropped.
 */
export class Notifier {
  readonly #config: pg.ClientConfig;
  readonly #channel: string;
  readonly #sender: string;
  #changes = new Map<string, number>();
  #gathering: NodeJS.Timeout | undefined;
  #client: pg.Client | undefined;
  #isSending = false;
  #silentUntilMs = 0;
  #isClosed = false;

  constructor({ config, channel, sender }: { readonly config: pg.ClientConfig; readonly channel: string; readonly sender: string }) {
    this.#config = config;
    this.#channel = channel;
    this.#sender = sender;
  }

  /** @param last the number of the last row */
  add(turn: string, last: number): void {
    if (this.#isClosed || performance.now() < this.#silentUntilMs) return;
    if (this.#changes.size < manyTurns) this.#changes.set(turn, Math.max(last, this.#changes.get(turn) ?? -1));
    if (!this.#isSending) this.#gathering ??= setTimeout(this.#onGathered, gatherMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    await this.#client?.end();
  }

  readonly #onGathered = (): void => {
    this.#gathering = undefined;
    void this.#send();
  };

  async #send(): Promise<void> {
    this.#isSending = true;
    const changes = this.#changes;
    this.#changes = new Map();
    const payloads = changes.size < manyTurns ? payloadsOf(this.#sender, changes) : [payloadOfAny(this.#sender)];
    try {
      this.#client ??= await this.#connect();
      await this.#client.query('SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload', [this.#channel, payloads]);
    } catch {
      this.#leave();
      this.#silentUntilMs = performance.now() + pauseMs;
      this.#changes.clear();
    }
    this.#isSending = false;
    if (this.#changes.size > 0 && !this.#isClosed) this.#gathering ??= setTimeout(this.#onGathered, gatherMs);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.#config, query_timeout: answerTimeoutMs, connectionTimeoutMillis: answerTimeoutMs });
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    if (this.#isClosed) {
      await client.end();
      throw new Error('the store was closed');
    }
    return client;
  }

  #leave(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => undefined);
  }
}

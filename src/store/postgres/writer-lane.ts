/** A connection that statements are sent on without waiting for the answers of those before them. It is opened again when it breaks. */
import pg from 'pg';
import { isAnswer, isPassing, isReadOnly, isWorthRepeating } from './errors.ts';
import { appendStatement, standingStatement, type Write } from './journal-statements.ts';

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/** Prepared statements are not there on every connection of a pooler: it has other connections, or does not know of them. */
const unknownStatement = new Set(['26000', '42P05']);

export interface LaneOptions {
  readonly config: pg.ClientConfig;
  /** Where the tables are. */
  readonly schema: string;
  /** Statements are prepared once on each connection. */
  readonly prepare: boolean;
  /** What time it is by the clock of the database, where that is known, ms since the epoch. */
  readonly now?: (() => number | undefined) | undefined;
  /** An answer that takes longer counts as lost, and so does the connection, ms. */
  readonly silenceMs: number;
  /** It is open, or could not be opened. */
  readonly onChange: () => void;
}

/** What became of a statement that has failed. `undone`: ask again. `unknown`: it may be written. `wrong`: it always fails. */
export type WriteFailure = 'undone' | 'unknown' | 'wrong';

export class WriterLane {
  readonly #options: LaneOptions;
  #client: pg.Client | undefined;
  #isOpening = false;
  #isClosed = false;
  #pauseMs = firstPauseMs;
  #isPrepared: boolean;
  #inFlight = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#isPrepared = options.prepare;
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /** Statements without an answer. */
  get inFlight(): number {
    return this.#inFlight;
  }

  open(): void {
    if (this.#isOpening || this.isOpen || this.#isClosed) return;
    this.#isOpening = true;
    void this.#open();
  }

  /** @returns those whose head has moved: they are written, the others are refused */
  async append(writes: readonly Write[]): Promise<ReadonlySet<Write>> {
    return this.#those(writes, appendStatement(this.#options.schema, writes, this.#options.now?.()));
  }

  /** @returns those whose rows are all there, byte for byte */
  async standing(writes: readonly Write[]): Promise<ReadonlySet<Write>> {
    return this.#those(writes, standingStatement(this.#options.schema, writes));
  }

  failureOf(error: unknown): WriteFailure {
    // An error that ends the connection says nothing of a commit that was under way.
    if (!(error instanceof pg.DatabaseError) || !isAnswer(error)) return 'unknown';
    if (unknownStatement.has(error.code ?? '')) {
      this.#isPrepared = false;
      return 'undone';
    }
    return isPassing(error) || isWorthRepeating(error) ? 'undone' : 'wrong';
  }

  /** Those that are sent are answered before. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client?.end();
  }

  async #those(writes: readonly Write[], { name, ...statement }: ReturnType<typeof appendStatement>): Promise<ReadonlySet<Write>> {
    const client = this.#client;
    if (client === undefined) throw new Error('the connection is not open');
    this.#inFlight += 1;
    try {
      const { rows } = await client.query<{ at: number }>(this.#isPrepared ? { name, ...statement } : statement);
      this.#pauseMs = firstPauseMs;
      return new Set(rows.flatMap(({ at }) => writes[at - 1] ?? []));
    } catch (error) {
      if (isReadOnly(error)) this.#reopen(client);
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #open(): Promise<void> {
    if (this.#isClosed) return;
    const { config, silenceMs, onChange } = this.#options;
    const client = new pg.Client({
      ...config,
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: config.connectionTimeoutMillis ?? silenceMs,
      query_timeout: silenceMs,
    });
    const leave = (): void => {
      if (this.#client !== client) return;
      this.#client = undefined;
      onChange();
    };
    // Those who wait for an answer learn of it by that.
    client.on('error', leave);
    client.on('end', leave);
    try {
      await client.connect();
      if (this.#isClosed) await client.end();
      else this.#client = client;
    } catch {
      await this.#pause();
    }
    this.#isOpening = false;
    if (!this.#isClosed) onChange();
  }

  /** Its server has become a standby: by a new connection there may be another one. */
  #reopen(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    // What is sent already is answered before.
    void client.end();
    this.#isOpening = true;
    void this.#pause().then(() => this.#open());
  }

  /** It grows until a statement is answered. */
  async #pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }
}

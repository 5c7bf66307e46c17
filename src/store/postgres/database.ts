/**
 * A pool of connections to Postgres that runs works, several at a time.
 *
 * All commits are on disk when they resolve, the quick ones too: those that are not would be lost with the server, which may die
 * while turnkeep lives on. Postgres syncs commits that come together by one sync.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg, { type PoolClient } from 'pg';
import { StoreBusyError } from '../ports/store.ts';
import type { Durability, SqlDatabase, Work } from '../sql/work.ts';
import { type Clock, DatabaseClock } from './clock.ts';
import { isAnswer, isLost, isReadOnly, isStalePlan, isWorthRepeating, translateError } from './errors.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { beginText, clientConfig, type PostgresOptions, type PostgresSettings, readPostgresOptions } from './options.ts';
import { commitText, forgetCommitsText, newCommitId, wasCommitted } from './outcome.ts';
import { Session, type SessionOptions } from './session.ts';

/** Times that a work is begun before it is said that the database is busy. */
const mostTries = 5;
/** The longest pause before the second of them; it doubles. */
const longestPauseMs = 10;

/** Works that wait for a connection, or for one tenant's turn, each of them for a few seconds at most. */
const mostWaiting = 1_000;

/** How often all connections are opened anew, at most, where the server takes no writes. */
const renewEveryMs = 1_000;

/** Commits after which those that are long over are forgotten. */
const forgetEvery = 1_000;

export class PostgresDatabase implements SqlDatabase {
  readonly settings: PostgresSettings;
  readonly #pool: pg.Pool;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #queue: KeyedQueue;
  readonly #running = new Set<Promise<unknown>>();
  /** Of each connection the generation that it was opened in: those of an earlier one are not used again. */
  readonly #generations = new WeakMap<PoolClient, number>();
  #generation = 0;
  #renewedAtMs = -Infinity;
  #commits = 0;

  /** Connects when it is first asked. @throws where the options are wrong */
  constructor(options: PostgresOptions, clock: Clock = new DatabaseClock()) {
    this.#clock = clock;
    this.settings = readPostgresOptions(options);
    this.#queue = new KeyedQueue({ patienceMs: this.settings.connectTimeoutMs, maxWaiting: mostWaiting });
    this.#pool = new pg.Pool({ ...clientConfig(this.settings), max: this.settings.poolSize, allowExitOnIdle: true });
    // Whoever uses a connection that breaks learns of it, and one that is not used leaves the pool. Without a listener the event
    // would end the process.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined);
      this.#generations.set(client, this.#generation);
    });
  }

  /**
   * See `SqlDatabase.commit`. Works run side by side, and see what others have committed by the time of each statement: what they
   * decide by, they lock first. One that others were in the way of is run again.
   * @throws an error that is not `StoreBusyError` where it stays unknown whether the commit is done, since the database cannot be reached
   */
  async commit<T>(_durability: Durability, work: () => Work<T>, queue?: string): Promise<T> {
    return this.#repeated(async (isPrepared) => this.#queue.run(queue, async () => this.#tryCommit(work, isPrepared)));
  }

  /** See `SqlDatabase.read`. */
  async read<T>(work: () => Work<T>, isOfOneMoment = false): Promise<T> {
    const level = isOfOneMoment ? 'REPEATABLE READ' : 'READ COMMITTED';
    const begin = isOfOneMoment || this.settings.pgbouncer ? beginText(this.settings, `${level} READ ONLY`) : undefined;
    return this.#repeated(async (isPrepared) => {
      const client = await this.#connect();
      return this.#finished(client, async () => {
        const result = await this.#run(client, work, { isPrepared, begin });
        if (begin !== undefined) await client.query('COMMIT');
        return result.value;
      });
    });
  }

  /** Waits for the works that have begun. Nothing may be asked any more. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.allSettled(this.#running);
    await this.#pool.end();
  }

  async #repeated<T>(tryOnce: (isPrepared: boolean) => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw new Error('the database is closed');
    const running = repeated(tryOnce, this.settings.prepare);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #tryCommit<T>(work: () => Work<T>, isPrepared: boolean): Promise<T> {
    const client = await this.#connect();
    let commitId: string | undefined;
    let value: { readonly of: T } | undefined;
    try {
      return await this.#finished(client, async () => {
        const result = await this.#run(client, work, { isPrepared, begin: beginText(this.settings, 'READ COMMITTED') });
        value = { of: result.value };
        commitId = result.hasWritten ? newCommitId() : undefined;
        await client.query(commitId === undefined ? 'COMMIT' : commitText(this.settings.schema, commitId));
        this.#forgetCommits();
        return result.value;
      });
    } catch (error) {
      // The COMMIT was sent, and there is no answer.
      if (value === undefined || isAnswer(causeOf(error))) throw error;
      if (commitId === undefined || (await this.#wasCommitted(commitId))) return value.of;
      throw error;
    }
  }

  async #run<T>(
    client: PoolClient,
    work: () => Work<T>,
    options: Omit<SessionOptions, 'clock'>,
  ): Promise<{ readonly value: T; readonly hasWritten: boolean }> {
    const session = new Session(client, { ...options, clock: this.#clock });
    const value = await session.run(work());
    // Whatever the work has made of it.
    if (session.failure !== undefined) throw session.failure.error;
    return { value, hasWritten: session.hasWritten };
  }

  async #connect(): Promise<PoolClient> {
    if (this.#pool.waitingCount >= mostWaiting) throw new StoreBusyError(`${mostWaiting} works wait for a connection to the database`);
    try {
      let client = await this.#pool.connect();
      while (!this.#isCurrent(client)) {
        client.release(true);
        client = await this.#pool.connect();
      }
      return client;
    } catch (error) {
      throw translateError(error);
    }
  }

  #isCurrent(client: PoolClient): boolean {
    return this.#generations.get(client) === this.#generation;
  }

  /** The connection goes back to the pool without a transaction, or is closed. */
  async #finished<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      client.release(!this.#isCurrent(client));
      return result;
    } catch (error) {
      const cause = causeOf(error);
      if (isReadOnly(cause) && this.#isCurrent(client)) this.#renewConnections();
      const isRolledBack = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      client.release(!isRolledBack || isStalePlan(cause) || !this.#isCurrent(client));
      throw translateError(error);
    }
  }

  /** All of them: what is read on those of a server that has become a standby may be old. */
  #renewConnections(): void {
    const nowMs = performance.now();
    // The address may lead to a standby for a while.
    if (nowMs - this.#renewedAtMs < renewEveryMs) return;
    this.#renewedAtMs = nowMs;
    this.#generation += 1;
  }

  async #wasCommitted(id: string): Promise<boolean> {
    const { schema, outcomeTimeoutMs: timeoutMs } = this.settings;
    const query = async (text: string) => (await this.#pool.query<{ is_asked: unknown }>(text)).rows;
    try {
      return await wasCommitted(query, { schema, id, timeoutMs, signal: this.#closing.signal });
    } catch (error) {
      throw new Error('the connection to the database broke, and whether the commit is done is not known', { cause: error });
    }
  }

  #forgetCommits(): void {
    this.#commits += 1;
    if (this.#commits % forgetEvery !== 0) return;
    // Whoever comes next forgets them as well.
    this.#pool.query(forgetCommitsText(this.settings.schema)).catch(() => undefined);
  }
}

async function repeated<T>(tryOnce: (isPrepared: boolean) => Promise<T>, prepare: boolean): Promise<T> {
  let isPrepared = prepare;
  for (let tries = 1; ; tries += 1) {
    try {
      return await tryOnce(isPrepared);
    } catch (error) {
      const cause = causeOf(error);
      // What the other connections have prepared may be as old, and a pooler keeps its own for longer than we do.
      if (isStalePlan(cause)) isPrepared = false;
      if (tries === mostTries || !(isWorthRepeating(cause) || isLost(cause))) throw error;
      await delay(randomInt(longestPauseMs * 2 ** (tries - 1)) + 1);
    }
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof StoreBusyError ? error.cause : error;
}

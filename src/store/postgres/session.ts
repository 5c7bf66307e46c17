/**
 * One work on one connection: its statements, one after the other, in a transaction or without.
 *
 * An error of a statement ends a transaction in Postgres. A work that catches it and goes on is told the same error by each
 * further statement, and cannot be committed.
 */
import type { ClientBase, QueryConfig, QueryResult } from 'pg';
import type { Row, Statement, Value, Work } from '../sql/work.ts';
import { clockText, type Clock } from './clock.ts';
import { translateError } from './errors.ts';
import { translate, type Translation } from './translate.ts';

/** As long as its answers are slow. */
const mostClockQuestions = 3;

/** Rows of a scan that are fetched at once. */
const scanBatch = 256;

const lockTexts = {
  tenant: 'SELECT pg_advisory_xact_lock(hashtextextended(?, 0))',
  session: 'SELECT pg_advisory_xact_lock(hashtextextended(?, 0))',
  'session of turn': `SELECT pg_advisory_xact_lock(hashtextextended('session:' || session, 0)) FROM turns WHERE id = ? AND session IS NOT NULL`,
  // Callers have lower ordinals: all who lock several begin with the one in front.
  'turn and its callers': `WITH RECURSIVE chain (id) AS (
      SELECT CAST(? AS TEXT) UNION ALL SELECT turns.parent FROM chain JOIN turns USING (id) WHERE turns.parent IS NOT NULL
    ) SELECT 1 FROM turns WHERE id IN (SELECT id FROM chain) ORDER BY ordinal FOR UPDATE`,
  turn: `WITH row AS (SELECT 1 FROM turns WHERE id = ? FOR UPDATE), head AS (SELECT 1 FROM journal_head WHERE turn = ? FOR UPDATE)
    SELECT (SELECT count(*) FROM row), (SELECT count(*) FROM head)`,
} as const;

function lockValues(what: keyof typeof lockTexts, id: string): readonly string[] {
  if (what === 'turn') return [id, id];
  return [what === 'tenant' || what === 'session' ? `${what}:${id}` : id];
}

export interface SessionOptions {
  /** Statements are prepared once on each connection. */
  readonly isPrepared: boolean;
  readonly clock: Clock;
  /** The statement that begins its transaction; without one each statement is one of its own. */
  readonly begin?: string | undefined;
}

export class Session {
  readonly #client: ClientBase;
  readonly #isPrepared: boolean;
  readonly #clock: Clock;
  /** Sent already, and answered perhaps. */
  #begin: Promise<unknown> | undefined;
  readonly #isTransaction: boolean;
  #error: { readonly error: unknown } | undefined;
  #hasWritten = false;
  #cursors = 0;

  constructor(client: ClientBase, { isPrepared, clock, begin }: SessionOptions) {
    this.#client = client;
    this.#isPrepared = isPrepared;
    this.#clock = clock;
    this.#isTransaction = begin !== undefined;
    if (begin === undefined) return;
    this.#begin = client.query(begin);
    // Whoever asks first learns of it.
    this.#begin.catch(() => undefined);
  }

  /** What ended the transaction, as it came: it cannot be committed. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#error;
  }

  /** A transaction without this has nothing that could be lost. */
  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  async run<T>(work: Work<T>): Promise<T> {
    let step = work.next();
    while (step.done !== true) {
      let answer: unknown;
      try {
        answer = await this.#ask(step.value);
      } catch (error) {
        step = work.throw(translateError(error));
        continue;
      }
      step = work.next(answer);
    }
    return step.value;
  }

  async #ask(statement: Statement): Promise<unknown> {
    if (this.#error !== undefined) throw this.#error.error;
    try {
      return await this.#answer(statement);
    } catch (error) {
      // Of several that are under way the first one to fail says why: the others are told that it has.
      if (this.#isTransaction) this.#error ??= { error };
      throw error;
    }
  }

  async #answer(statement: Statement): Promise<unknown> {
    switch (statement.type) {
      case 'all': {
        return (await this.#query(statement)).rows;
      }
      case 'one': {
        return (await this.#query(statement)).rows[0];
      }
      case 'run': {
        return (await this.#query(statement)).rowCount ?? 0;
      }
      case 'lock': {
        const { what, id } = statement;
        await this.#query({ sql: lockTexts[what], values: lockValues(what, id) });
        return undefined;
      }
      case 'only': {
        if (statement.driver === 'postgres') await this.#query(statement);
        return undefined;
      }
      case 'scan': {
        return this.#scan(statement);
      }
      case 'together': {
        return Promise.all(statement.works.map(async (work) => this.run(work())));
      }
      case 'now': {
        return this.#clock.now() ?? this.#askClock();
      }
    }
  }

  /** Again, where the answer was slow: the server stood still, or this process, and goes on now. */
  async #askClock(): Promise<number> {
    for (let asked = 1; ; asked += 1) {
      const askedAt = performance.now();
      const { rows } = await this.#query({ sql: clockText, values: [] });
      const nowMs = this.#clock.note(Number(rows[0]?.['now']), askedAt);
      if (asked === mostClockQuestions || this.#clock.now() !== undefined) return nowMs;
    }
  }

  async #query({ sql, values }: { readonly sql: string; readonly values: readonly Value[] }): Promise<QueryResult<Row>> {
    const translation = translate(sql);
    if (!translation.isRead) {
      // Outside of the transaction, should that not begin, it would be written by itself.
      await this.#begun();
      this.#hasWritten = true;
    }
    const [, result] = await Promise.all([this.#begun(), this.#client.query<Row>(this.#configOf(translation, values))]);
    return result;
  }

  async #begun(): Promise<void> {
    const begin = this.#begin;
    if (begin === undefined) return;
    await begin;
    this.#begin = undefined;
  }

  #configOf({ text, name }: Translation, values: readonly Value[]): QueryConfig {
    return { text, values: values.map(storable), ...(this.#isPrepared && name !== undefined ? { name } : {}) };
  }

  /** No more than a batch is in memory, however many rows there are. */
  async #scan({ sql, values, take }: Extract<Statement, { type: 'scan' }>): Promise<boolean> {
    const { text } = translate(sql);
    this.#cursors += 1;
    const cursor = `scan_${this.#cursors}`;
    // A cursor lives as long as its transaction.
    const isOwn = !this.#isTransaction;
    let isWhole = true;
    const ask = async (command: string): Promise<QueryResult<Row>> => this.#client.query<Row>(command);
    try {
      const declare = { text: `DECLARE ${cursor} NO SCROLL CURSOR FOR ${text}`, values: values.map(storable) };
      const asked = [
        isOwn ? this.#client.query('BEGIN READ ONLY') : this.#begun(),
        this.#client.query(declare),
        ask(`FETCH ${scanBatch} FROM ${cursor}`),
      ] as const;
      let { rows } = (await Promise.all(asked))[2];
      for (;;) {
        isWhole = rows.every((row) => take(row));
        if (!isWhole || rows.length < scanBatch) break;
        ({ rows } = await ask(`FETCH ${scanBatch} FROM ${cursor}`));
      }
    } catch (error) {
      if (isOwn) await ask('ROLLBACK');
      throw error;
    }
    await ask(isOwn ? 'COMMIT' : `CLOSE ${cursor}`);
    return isWhole;
  }
}

/** A text of Postgres holds no NUL. JSON has it escaped. */
export function storable<T extends Value>(value: T): T | string {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}

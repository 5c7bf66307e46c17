/** Journals in the tables of a database, without a store around them. */
import pg from 'pg';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';

export class Journals implements AsyncDisposable {
  readonly pool: pg.Pool;

  /** @param url of a database with today's tables */
  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url });
    this.pool.on('error', () => undefined);
  }

  async open(turn: string, epoch = 1): Promise<void> {
    await this.pool.query('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES ($1, $2, 0, 0)', [turn, epoch]);
    await this.pool.query('INSERT INTO attempts (turn, step, attempt, requested_at) VALUES ($1, 1, 1, 1)', [turn]);
  }

  async read(turn: string): Promise<JournalRow[]> {
    const { rows } = await this.pool.query<{ seq: string; type: string; data: string }>(
      'SELECT seq, type, data FROM journal WHERE turn = $1 ORDER BY seq',
      [turn],
    );
    return rows.map(({ seq, type, data }) => ({ seq: Number(seq), type, data }));
  }

  async nextSeq(turn: string): Promise<number> {
    const { rows } = await this.pool.query<{ next_seq: string }>('SELECT next_seq FROM journal_head WHERE turn = $1', [turn]);
    return Number(rows[0]?.next_seq);
  }

  /** @returns how many statements have written to journals, on all connections: asked of `pg_stat_statements` */
  async statements(): Promise<number> {
    const { rows } = await this.pool.query<{ calls: string }>(
      `SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements WHERE query LIKE '%UPDATE%journal_head%next_seq%'`,
    );
    return Number(rows[0]?.calls);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
  }
}

/** Not ASCII, with all that an array or a JSON text has to escape. */
export function rowsFrom(seq: number, count: number): JournalRow[] {
  const type = 'response.output_text.delta';
  return Array.from({ length: count }, (_, at) => ({
    seq: seq + at,
    type,
    data: JSON.stringify({ type, sequence_number: seq + at, delta: `ü "{,}" \\ \u0000 ${seq + at}` }),
  }));
}

/** Journals in a server's tables, without a store around them. */
import pg from 'pg';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';

const tables = `
  CREATE EXTENSION pg_stat_statements;
  CREATE TABLE journal_head (
    turn TEXT COLLATE "C" PRIMARY KEY, epoch BIGINT NOT NULL, next_seq BIGINT NOT NULL, sealed INTEGER NOT NULL, lease_until BIGINT
  );
  CREATE TABLE journal (
    turn TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (turn, seq)
  );
  CREATE TABLE recordings (
    turn TEXT COLLATE "C" NOT NULL, epoch BIGINT NOT NULL, part BIGINT NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL,
    data BYTEA NOT NULL, PRIMARY KEY (turn, epoch, part)
  );
  CREATE TABLE attempts (
    turn TEXT COLLATE "C" NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL, first_event_at BIGINT, provider_request_id TEXT,
    PRIMARY KEY (turn, step, attempt)
  );`;

export class Journals implements AsyncDisposable {
  readonly pool: pg.Pool;

  private constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url });
    this.pool.on('error', () => undefined);
  }

  static async make(url: string): Promise<Journals> {
    const journals = new Journals(url);
    await journals.pool.query(tables);
    return journals;
  }

  async open(turn: string, epoch = 1): Promise<void> {
    await this.pool.query('INSERT INTO journal_head VALUES ($1, $2, 0, 0, NULL)', [turn, epoch]);
    await this.pool.query('INSERT INTO attempts VALUES ($1, 1, 1, NULL, NULL)', [turn]);
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

  /** @returns how many statements have written to journals, on all connections */
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

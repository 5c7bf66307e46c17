/**
 * What became of a commit whose answer was lost with its connection.
 *
 * A commit that writes puts a row with an id of its own into `commits`. Whoever gets no answer writes a row of the same id: where
 * that is refused, the commit is done; where it is taken, the commit is not, and never will be, for its own row would be refused
 * now. While the commit is under way the second row waits for it. This holds when the server has crashed, too, and when another one
 * has taken its place; the number that Postgres gives a transaction may then be another one's.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** Ids of one clock are in the order of time, so that old rows are a range, and new ones lie side by side. */
export function newCommitId(atMs = Date.now()): string {
  const time = atMs.toString(16).padStart(12, '0');
  const [, ...rest] = /^(.{3})(.{4})(.{12})$/.exec(randomBytes(10).toString('hex').slice(1)) ?? [];
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest[0]}-8${rest[1]?.slice(1)}-${rest[2]}`;
}

/** One message to the server, as long as it is not a read: nothing is asked in between. Ids are made here, and need no quoting. */
export function commitText(schema: string, id: string): string {
  return `INSERT INTO ${schema}.commits (id) VALUES ('${id}'); COMMIT`;
}

/** Of commits that nobody asks for any more. */
export function forgetCommitsText(schema: string): string {
  return `DELETE FROM ${schema}.commits WHERE id < '${newCommitId(Date.now() - keptForMs)}'`;
}

/** Much longer than anybody asks, and than the clocks of processes differ. */
const keptForMs = 3_600_000;

const pauseMs = 250;

interface Question {
  readonly schema: string;
  readonly id: string;
  readonly timeoutMs: number;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Asks again while the database cannot be reached.
 * @param query on another connection
 * @throws the last error, when the time is over
 */
export async function wasCommitted(
  query: (text: string) => Promise<readonly { readonly is_asked: unknown }[]>,
  { schema, id, timeoutMs, signal }: Question,
): Promise<boolean> {
  // The row that stands: of the commit, or of one who asked, whose answer may have been lost in turn.
  const text = `INSERT INTO ${schema}.commits (id, is_asked) VALUES ('${id}', true)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING is_asked`;
  const startedAt = performance.now();
  for (;;) {
    try {
      const [row] = await query(text);
      return row?.is_asked === 0;
    } catch (error) {
      if (signal.aborted || performance.now() - startedAt > timeoutMs) throw error;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

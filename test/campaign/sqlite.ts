/** The embedded database: a file in the data dir, which has no server. */
import type { Database } from './cluster.ts';

export async function sqliteDatabase(): Promise<Database> {
  return { env: () => ({}), logs: [], [Symbol.asyncDispose]: async () => undefined };
}

/** A process that opens new database files, each at a moment that it is told, so that others open them in the same millisecond. */
import { Database } from '../../src/store/sqlite/database.ts';

export interface OpenOrder {
  readonly path: string;
  readonly atMs: number;
}

process.on('message', ({ path, atMs }: OpenOrder) => {
  while (Date.now() < atMs);
  let failure: string | null = null;
  try {
    new Database(path).close();
  } catch (error) {
    failure = String(error);
  }
  process.send?.(failure);
});
process.send?.('ready');

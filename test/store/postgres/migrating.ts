/** A process that brings a database to today's tables, at a moment that it is told, so that others do it in the same millisecond. */
import { migrate } from '../../../src/store/postgres/migrate.ts';

export interface MigrateOrder {
  readonly url: string;
  readonly atMs: number;
}

process.on('message', ({ url, atMs }: MigrateOrder) => {
  while (Date.now() < atMs);
  migrate({ url }).then(
    (migrated) => process.send?.(migrated),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.send?.('ready');

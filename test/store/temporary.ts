import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { Store } from '../../src/store/ports/store.ts';
import type { OpenDatabase } from './contract.ts';

/** A database file of its own, gone with all its stores at disposal. */
export function temporaryDatabase(): OpenDatabase & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-store-'));
  const path = join(folder, 'turnkeep.db');
  const stores: Store[] = [];
  return {
    path,
    open() {
      const store = openSqliteStore(path);
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

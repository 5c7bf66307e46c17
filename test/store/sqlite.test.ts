import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { contractFor, journalContract } from './contract.ts';
import { droppedContract } from './contract-dropped.ts';
import { intakeContract } from './contract-intake.ts';
import { sessionsContract } from './contract-sessions.ts';

const contract = contractFor('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-store-'));
  const stores: Store[] = [];
  return {
    open() {
      const store = openSqliteStore(join(folder, 'turnkeep.db'));
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

journalContract(contract);
intakeContract(contract);
sessionsContract(contract);
droppedContract(contract);

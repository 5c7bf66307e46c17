import type { Clock } from '../../../src/store/postgres/clock.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { postgresStore } from '../../../src/store/postgres/open-store.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { createDatabase } from '../../support/postgres-server.ts';
import { contractFor, type OpenDatabase } from '../contract.ts';
import { wholeContract } from '../contract-whole.ts';

/** Of this process, which the suite sets. */
const clock: Clock = { now: () => Date.now(), note: (databaseMs) => databaseMs };

async function postgresDatabase(): Promise<OpenDatabase> {
  const database = await createDatabase();
  const { databaseId } = await migrate({ url: database.url });
  const stores: Store[] = [];
  return {
    open() {
      const store = postgresStore({ url: database.url }, databaseId, clock);
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

wholeContract(contractFor('postgres', postgresDatabase));

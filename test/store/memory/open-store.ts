/**
 * A second driver, to hold the ports to what they promise: another database behind the same contract, decided by the
 * same functions of `domain/`, followed through the same live tail, with reads that take a round trip.
 */
import type { Store } from '../../../src/store/ports/store.ts';
import { breakerStore } from './breakers.ts';
import { completionStore } from './completions.ts';
import { Connection, type MemoryDatabase } from './database.ts';
import { journalStore } from './journal.ts';
import { keyStore } from './keys.ts';
import { retentionStore } from './retention.ts';
import { sessionStore } from './sessions.ts';
import { turnStore } from './turns.ts';
import { viewerStore } from './viewers.ts';
import { webhookStore } from './webhooks.ts';

export function openMemoryStore(database: MemoryDatabase): Store {
  const connection = new Connection(database);
  const journal = journalStore(connection);
  return {
    databaseId: 'memory',
    ...journal,
    ...turnStore(connection),
    ...completionStore(connection),
    ...sessionStore(connection),
    ...keyStore(connection),
    ...retentionStore(connection),
    ...viewerStore(connection),
    ...webhookStore(connection),
    ...breakerStore(connection),
    probe: () => connection.transaction(() => undefined),
    close: async () => {
      journal.close();
      connection.close();
    },
  };
}

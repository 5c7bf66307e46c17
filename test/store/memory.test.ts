import { contractFor, type OpenDatabase } from './contract.ts';
import { wholeContract } from './contract-whole.ts';
import { MemoryDatabase } from './memory/database.ts';
import { openMemoryStore } from './memory/open-store.ts';

function memoryDatabase(): OpenDatabase {
  const database = new MemoryDatabase();
  return {
    open: () => openMemoryStore(database),
    async [Symbol.asyncDispose]() {},
  };
}

wholeContract(contractFor('memory', memoryDatabase));

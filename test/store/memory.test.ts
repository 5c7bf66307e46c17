import { contractFor, journalContract, type OpenDatabase } from './contract.ts';
import { droppedContract } from './contract-dropped.ts';
import { followContract } from './contract-follow.ts';
import { intakeContract } from './contract-intake.ts';
import { sessionsContract } from './contract-sessions.ts';
import { MemoryDatabase } from './memory/database.ts';
import { openMemoryStore } from './memory/open-store.ts';

function memoryDatabase(): OpenDatabase {
  const database = new MemoryDatabase();
  return {
    open: () => openMemoryStore(database),
    async [Symbol.asyncDispose]() {},
  };
}

const contract = contractFor('memory', memoryDatabase);
journalContract(contract);
intakeContract(contract);
sessionsContract(contract);
droppedContract(contract);
followContract(contract);

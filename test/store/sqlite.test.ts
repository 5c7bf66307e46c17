import { contractFor, journalContract } from './contract.ts';
import { droppedContract } from './contract-dropped.ts';
import { followContract } from './contract-follow.ts';
import { intakeContract } from './contract-intake.ts';
import { listContract } from './contract-list.ts';
import { leasesContract } from './contract-leases.ts';
import { orderContract } from './contract-order.ts';
import { sessionsContract } from './contract-sessions.ts';
import { temporaryDatabase } from './temporary.ts';

const contract = contractFor('sqlite', temporaryDatabase);
journalContract(contract);
leasesContract(contract);
intakeContract(contract);
listContract(contract);
orderContract(contract);
sessionsContract(contract);
droppedContract(contract);
followContract(contract);

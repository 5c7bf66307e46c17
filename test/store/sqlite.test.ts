import { contractFor } from './contract.ts';
import { wholeContract } from './contract-whole.ts';
import { temporaryDatabase } from './temporary.ts';

wholeContract(contractFor('sqlite', temporaryDatabase));

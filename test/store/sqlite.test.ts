import { storeContract } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

storeContract('sqlite', temporaryDatabase);

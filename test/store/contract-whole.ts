/** All parts of what every driver of the store must do. */
import { type Contract, journalContract } from './contract.ts';
import { breakersContract } from './contract-breakers.ts';
import { childrenContract } from './contract-children.ts';
import { countsContract } from './contract-counts.ts';
import { droppedContract } from './contract-dropped.ts';
import { followContract } from './contract-follow.ts';
import { intakeContract } from './contract-intake.ts';
import { completionsContract } from './contract-completions.ts';
import { listContract } from './contract-list.ts';
import { keptResponsesContract } from './contract-kept-responses.ts';
import { keysContract } from './contract-keys.ts';
import { leasesContract } from './contract-leases.ts';
import { orderContract } from './contract-order.ts';
import { recordingsContract } from './contract-recordings.ts';
import { sessionsContract } from './contract-sessions.ts';
import { spendingContract } from './contract-spending.ts';
import { statsContract } from './contract-stats.ts';
import { toolCallsContract } from './contract-tool-calls.ts';
import { viewersContract } from './contract-viewers.ts';
import { webhooksContract } from './contract-webhooks.ts';

export function wholeContract(contract: Contract): void {
  journalContract(contract);
  breakersContract(contract);
  childrenContract(contract);
  countsContract(contract);
  keysContract(contract);
  leasesContract(contract);
  keptResponsesContract(contract);
  intakeContract(contract);
  completionsContract(contract);
  listContract(contract);
  orderContract(contract);
  sessionsContract(contract);
  toolCallsContract(contract);
  spendingContract(contract);
  statsContract(contract);
  droppedContract(contract);
  followContract(contract);
  viewersContract(contract);
  webhooksContract(contract);
  recordingsContract(contract);
}

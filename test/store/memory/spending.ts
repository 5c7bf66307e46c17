import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../../src/domain/budget.ts';
import type { MemoryDatabase, StoredTurn } from './database.ts';

export function readSpending(database: MemoryDatabase, id: string, before: number): Spending | undefined {
  const turn = database.turns.get(id);
  if (turn === undefined) return undefined;
  const own = spentBy(database, turn, before);
  return { turn: own, session: sumOfSpent(own, database.sessions.get(turn.row.session ?? '')?.spent ?? nothingSpent) };
}

export function addToSession(database: MemoryDatabase, turn: StoredTurn): void {
  const session = database.sessions.get(turn.row.session ?? '');
  if (session !== undefined) session.spent = sumOfSpent(session.spent ?? nothingSpent, spentBy(database, turn));
}

function spentBy(database: MemoryDatabase, { attempts, toolCalls, row }: StoredTurn, before?: number): Spent {
  const wallTimeMs = row.readyAtMs === null ? 0 : Math.max(0, Date.now() - row.readyAtMs);
  const own = spentOf({ attempts, toolCalls: toolCalls.filter((call) => call.row.runs > 0).length, wallTimeMs }, before);
  return database
    .turnsWhere((each) => each.row.parent?.turn === row.id)
    .map((child) => ({ ...spentBy(database, child), wallTimeMs: 0 }))
    .reduce(sumOfSpent, own);
}

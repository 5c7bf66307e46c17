import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../../src/domain/budget.ts';
import type { MemoryDatabase, StoredTurn } from './database.ts';

export function readSpending(database: MemoryDatabase, id: string, before: number): Spending | undefined {
  const turn = database.turns.get(id);
  if (turn === undefined) return undefined;
  const root = rootOf(database, turn);
  const running = { id, before };
  const caller = spentBy(database, root, running);
  const session = sumOfSpent(caller, database.sessions.get(root.row.session ?? '')?.spent ?? nothingSpent);
  return { turn: spentBy(database, turn, running), caller, session };
}

export function addToSession(database: MemoryDatabase, turn: StoredTurn): void {
  const session = database.sessions.get(turn.row.session ?? '');
  if (session !== undefined) session.spent = sumOfSpent(session.spent ?? nothingSpent, spentBy(database, turn));
}

function rootOf(database: MemoryDatabase, turn: StoredTurn): StoredTurn {
  const parent = database.turns.get(turn.row.parent?.turn ?? '');
  return parent === undefined ? turn : rootOf(database, parent);
}

function spentBy(
  database: MemoryDatabase,
  { attempts, toolCalls, row }: StoredTurn,
  running?: { readonly id: string; readonly before: number },
): Spent {
  const wallTimeMs = row.readyAtMs === null ? 0 : Math.max(0, Date.now() - row.readyAtMs);
  const facts = { attempts, toolCalls: toolCalls.filter((call) => call.row.runs > 0).length, wallTimeMs };
  const own = spentOf(facts, running?.id === row.id ? running.before : undefined);
  return database
    .turnsWhere((each) => each.row.parent?.turn === row.id)
    .reduce((sum, child) => sumOfSpent(sum, { ...spentBy(database, child, running), wallTimeMs: 0 }), own);
}

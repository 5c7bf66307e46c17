import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../../src/domain/turn/budget.ts';
import { isUnsettled, type MemoryDatabase, type StoredTurn } from './database.ts';

export function readSpending(database: MemoryDatabase, id: string, before: number): Spending | undefined {
  const turn = database.turns.get(id);
  if (turn === undefined) return undefined;
  const root = callersOf(database, turn).at(-1) ?? turn;
  const running = { id, before };
  const caller = spentBy(database, root, running);
  const session = sumOfSpent(caller, database.sessions.get(root.row.session ?? '')?.spent ?? nothingSpent);
  return { turn: spentBy(database, turn, running), caller, session };
}

export function addSpent(database: MemoryDatabase, turn: StoredTurn): void {
  const own = { ...spentByItself(turn), wallTimeMs: 0 };
  for (const caller of callersOf(database, turn)) caller.calledSpent = sumOfSpent(caller.calledSpent ?? nothingSpent, own);
  const session = database.sessions.get(turn.row.session ?? '');
  if (session !== undefined) session.spent = sumOfSpent(session.spent ?? nothingSpent, spentBy(database, turn));
}

function callersOf(database: MemoryDatabase, turn: StoredTurn): readonly StoredTurn[] {
  const caller = database.turns.get(turn.row.parent?.turn ?? '');
  return caller === undefined ? [] : [caller, ...callersOf(database, caller)];
}

interface Running {
  readonly id: string;
  readonly before: number;
}

function spentBy(database: MemoryDatabase, turn: StoredTurn, running?: Running): Spent {
  return calledAndRunning(database, turn).reduce(
    (sum, called) => sumOfSpent(sum, { ...spentByItself(called, running), wallTimeMs: 0 }),
    sumOfSpent(spentByItself(turn, running), turn.calledSpent ?? nothingSpent),
  );
}

function calledAndRunning(database: MemoryDatabase, turn: StoredTurn): readonly StoredTurn[] {
  return database
    .turnsWhere((each) => isUnsettled(each) && each.row.parent?.turn === turn.row.id)
    .flatMap((called) => [called, ...calledAndRunning(database, called)]);
}

function spentByItself({ attempts, toolCalls, row }: StoredTurn, running?: Running): Spent {
  const wallTimeMs = row.readyAtMs === null ? 0 : Math.max(0, Date.now() - row.readyAtMs);
  const facts = { attempts, toolCalls: toolCalls.filter((call) => call.row.runs > 0).length, wallTimeMs };
  return spentOf(facts, running?.id === row.id ? running.before : undefined);
}

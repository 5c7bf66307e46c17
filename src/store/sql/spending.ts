/**
 * What turns and sessions have used up, for their budgets, with the turns that they called. When a turn ends, what it has spent is
 * added to all that wait for it, and to its session: it is not gone with the turn, and nobody has to look for it in its rows.
 */
import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../domain/turn/budget.ts';
import { readAttempts } from './attempts.ts';
import { all, now, one, run, type Row, type Work } from './work.ts';
import { numberOrNull, parsed, text, textOrNull } from './rows.ts';

/** @param before the step that is about to run: what was spent on those before it, and on requests of its own that have ended */
export function* readSpending(turn: string, before: number): Work<Spending | undefined> {
  const row = yield* turnOf(turn);
  if (row === undefined) return undefined;
  const root = (yield* callersOf(row)).at(-1) ?? row;
  const running = { turn, before };
  const own = yield* spentBy(row, running);
  const caller = root === row ? own : yield* spentBy(root, running);
  const { session } = root;
  return { turn: own, caller, session: session === null ? caller : sumOfSpent(caller, yield* spentInSession(session)) };
}

/** The turn has its end. */
export function* addSpent(turn: string): Work<void> {
  const row = yield* turnOf(turn);
  if (row === undefined) return;
  const { session } = row;
  const callers = yield* callersOf(row);
  if (callers.length > 0) {
    const own = yield* spentByItself(row);
    for (const caller of callers) {
      const called = sumOfSpent(caller.called, { ...own, wallTimeMs: 0 });
      yield* run('UPDATE turns SET called_spent = ? WHERE id = ?', JSON.stringify(called), caller.id);
    }
  }
  if (session === null) return;
  const spent = sumOfSpent(yield* spentBy(row), yield* spentInSession(session));
  yield* run('UPDATE sessions SET spent = ? WHERE id = ?', JSON.stringify(spent), session);
}

interface SpendingTurn {
  readonly id: string;
  readonly session: string | null;
  readonly parent: string | null;
  readonly readyAtMs: number | null;
  /** By the turns that it called, and those that they called, which have their end; their time is none of it. */
  readonly called: Spent;
}

const columns = 'id, session, ready_at, parent, called_spent';

function* turnOf(id: string): Work<SpendingTurn | undefined> {
  const row = yield* one(`SELECT ${columns} FROM turns WHERE id = ?`, id);
  return row && spendingTurnOf(row);
}

function spendingTurnOf(row: Row): SpendingTurn {
  return {
    id: text(row['id']),
    session: textOrNull(row['session']),
    parent: textOrNull(row['parent']),
    readyAtMs: numberOrNull(row['ready_at']),
    called: spentIn(row['called_spent']),
  };
}

/** From the one that called it to the one that a client asked for. One that is gone has taken its limits with it. */
function* callersOf({ parent }: SpendingTurn): Work<readonly SpendingTurn[]> {
  const caller = parent === null ? undefined : yield* turnOf(parent);
  return caller === undefined ? [] : [caller, ...(yield* callersOf(caller))];
}

function* spentInSession(session: string): Work<Spent> {
  return spentIn((yield* one('SELECT spent FROM sessions WHERE id = ?', session))?.['spent']);
}

function spentIn(spent: Row[string] | undefined): Spent {
  return spent == null ? nothingSpent : { ...nothingSpent, ...parsed<Partial<Spent>>(spent) };
}

interface Running {
  readonly turn: string;
  /** Of its steps those before this one count. */
  readonly before: number;
}

/** By a turn and all that it called. The rows of turns that have their end are not looked at. */
function* spentBy(turn: SpendingTurn, running?: Running): Work<Spent> {
  let sum = sumOfSpent(yield* spentByItself(turn, running), turn.called);
  for (const called of yield* calledAndRunning(turn)) {
    // They run while it waits for them: their time is its own. What they called and has its end is counted with the turn.
    sum = sumOfSpent(sum, { ...(yield* spentByItself(called, running)), wallTimeMs: 0 });
  }
  return sum;
}

function* spentByItself({ id, readyAtMs }: SpendingTurn, running?: Running): Work<Spent> {
  const made = yield* one('SELECT count(*) AS calls FROM tool_calls WHERE turn = ? AND runs > 0', id);
  const wallTimeMs = readyAtMs === null ? 0 : Math.max(0, (yield* now()) - readyAtMs);
  const facts = { attempts: yield* readAttempts(id), toolCalls: Number(made?.['calls']), wallTimeMs };
  return spentOf(facts, running?.turn === id ? running.before : undefined);
}

/** Those that it called and that have no end, and those that these called. */
function* calledAndRunning({ id }: SpendingTurn): Work<readonly SpendingTurn[]> {
  const sql = `SELECT ${columns} FROM turns INDEXED BY turns_called_unsettled WHERE parent = ? AND settled_at IS NULL`;
  const found: SpendingTurn[] = [];
  for (const called of (yield* all(sql, id)).map(spendingTurnOf)) found.push(called, ...(yield* calledAndRunning(called)));
  return found;
}

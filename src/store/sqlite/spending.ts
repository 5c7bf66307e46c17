/** What turns and sessions have used up, for their budgets, with the turns that they called. What a turn has spent is added to its session when it ends: it is not gone with the turn. */
import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../domain/budget.ts';
import { readAttempts } from './attempts.ts';
import type { Database, Row } from './database.ts';
import { numberOrNull, parsed, text, textOrNull } from './rows.ts';

/** @param before the step that is about to run: what was spent on those before it, and on requests of its own that have ended */
export function readSpending(db: Database, turn: string, before: number): Spending | undefined {
  return db.read(() => {
    if (turnOf(db, turn) === undefined) return undefined;
    const root = rootOf(db, turn);
    const own = spentBy(db, turn, { turn, before });
    const caller = root === turn ? own : spentBy(db, root, { turn, before });
    const session = textOrNull(turnOf(db, root)?.['session']);
    return { turn: own, caller, session: session === null ? caller : sumOfSpent(caller, spentInSession(db, session)) };
  });
}

/** The turn has its end. */
export function addToSession(db: Database, session: string, turn: string): void {
  const spent = sumOfSpent(spentBy(db, turn), spentInSession(db, session));
  db.run('UPDATE sessions SET spent = ? WHERE id = ?', JSON.stringify(spent), session);
}

function turnOf(db: Database, id: string): Row | undefined {
  return db.one('SELECT session, ready_at, parent FROM turns WHERE id = ?', id);
}

/** The turn that a client asked for. */
function rootOf(db: Database, turn: string): string {
  for (let id = turn; ;) {
    const parent = textOrNull(turnOf(db, id)?.['parent']);
    // One that is gone has taken its limits with it.
    if (parent === null || turnOf(db, parent) === undefined) return id;
    id = parent;
  }
}

function spentInSession(db: Database, session: string): Spent {
  const spent = db.one('SELECT spent FROM sessions WHERE id = ?', session)?.['spent'];
  return spent == null ? nothingSpent : { ...nothingSpent, ...parsed<Partial<Spent>>(spent) };
}

/** By a turn and all that it called. @param running of which of them the steps count before this one alone */
function spentBy(db: Database, turn: string, running?: { readonly turn: string; readonly before: number }): Spent {
  const made = db.one('SELECT count(*) AS calls FROM tool_calls WHERE turn = ? AND runs > 0', turn);
  const readyAtMs = numberOrNull(turnOf(db, turn)?.['ready_at']);
  const wallTimeMs = readyAtMs === null ? 0 : Math.max(0, Date.now() - readyAtMs);
  const facts = { attempts: readAttempts(db, turn), toolCalls: Number(made?.['calls']), wallTimeMs };
  const own = spentOf(facts, running?.turn === turn ? running.before : undefined);
  // They run while it waits for them: their time is its own.
  return childrenOf(db, turn).reduce((sum, child) => sumOfSpent(sum, { ...spentBy(db, child, running), wallTimeMs: 0 }), own);
}

function childrenOf(db: Database, turn: string): string[] {
  return db.all('SELECT id FROM turns INDEXED BY turns_by_parent WHERE parent = ?', turn).map((row) => text(row['id']));
}

/** What turns and sessions have used up, for their budgets, with the turns that they called. What a turn has spent is added to its session when it ends: it is not gone with the turn. */
import { nothingSpent, type Spending, type Spent, spentOf, sumOfSpent } from '../../domain/budget.ts';
import { readAttempts } from './attempts.ts';
import type { Database } from './database.ts';
import { numberOrNull, parsed, textOrNull } from './rows.ts';
import { idsOfChildren } from './turns.ts';

/** @param before the step that is about to run: what was spent on those before it, and on requests of its own that have ended */
export function readSpending(db: Database, turn: string, before: number): Spending | undefined {
  return db.read(() => {
    const row = db.one('SELECT session, ready_at FROM turns WHERE id = ?', turn);
    if (row === undefined) return undefined;
    const own = spentBy(db, turn, { before, readyAtMs: numberOrNull(row['ready_at']) });
    const session = textOrNull(row['session']);
    return { turn: own, session: session === null ? own : sumOfSpent(own, spentInSession(db, session)) };
  });
}

/** The turn has its end. */
export function addToSession(db: Database, session: string, turn: string, readyAtMs: number | null): void {
  const own = spentBy(db, turn, { readyAtMs });
  db.run('UPDATE sessions SET spent = ? WHERE id = ?', JSON.stringify(sumOfSpent(own, spentInSession(db, session))), session);
}

function spentInSession(db: Database, session: string): Spent {
  const spent = db.one('SELECT spent FROM sessions WHERE id = ?', session)?.['spent'];
  return spent == null ? nothingSpent : { ...nothingSpent, ...parsed<Partial<Spent>>(spent) };
}

function spentBy(db: Database, turn: string, { before, readyAtMs }: { before?: number; readyAtMs: number | null }): Spent {
  const made = db.one('SELECT count(*) AS calls FROM tool_calls WHERE turn = ? AND runs > 0', turn);
  // The clock may have been set back meanwhile.
  const wallTimeMs = readyAtMs === null ? 0 : Math.max(0, Date.now() - readyAtMs);
  const own = spentOf({ attempts: readAttempts(db, turn), toolCalls: Number(made?.['calls']), wallTimeMs }, before);
  return idsOfChildren(db, turn)
    .map((id) => spentBy(db, id, whole))
    .reduce(sumOfSpent, own);
}

/** Of a turn that was called: its time is its caller's. */
const whole = { readyAtMs: null };

/** What turns and sessions have used up, for their budgets, with the turns that they called. What a turn has spent is added to its session when it ends: it is not gone with the turn. */
import { nothingSpent, type Spending, type Spent, sumOfSpent } from '../../domain/budget.ts';
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
  const own = spentBy(db, turn, { before: Number.MAX_SAFE_INTEGER, readyAtMs });
  db.run('UPDATE sessions SET spent = ? WHERE id = ?', JSON.stringify(sumOfSpent(own, spentInSession(db, session))), session);
}

function spentInSession(db: Database, session: string): Spent {
  const spent = db.one('SELECT spent FROM sessions WHERE id = ?', session)?.['spent'];
  return spent == null ? nothingSpent : { ...nothingSpent, ...parsed<Partial<Spent>>(spent) };
}

function spentBy(db: Database, turn: string, { before, readyAtMs }: { before: number; readyAtMs: number | null }): Spent {
  const asked = db.one(
    `SELECT count(*) FILTER (WHERE attempt = 1 AND step < ?) AS steps, sum(cost) AS cost,
       sum(coalesce(spent_tokens, usage ->> '$.output_tokens')) AS tokens FROM attempts WHERE turn = ?`,
    before,
    turn,
  );
  const made = db.one('SELECT count(*) AS calls FROM tool_calls WHERE turn = ? AND runs > 0', turn);
  const own = {
    steps: Number(asked?.['steps']),
    toolCalls: Number(made?.['calls']),
    outputTokens: Number(asked?.['tokens'] ?? 0),
    costUsd: Number(asked?.['cost'] ?? 0),
    // The clock may have been set back meanwhile.
    wallTimeMs: readyAtMs === null ? 0 : Math.max(0, Date.now() - readyAtMs),
  };
  return idsOfChildren(db, turn)
    .map((id) => spentBy(db, id, whole))
    .reduce(sumOfSpent, own);
}

/** Of a turn that was called: its time is its caller's. */
const whole = { before: Number.MAX_SAFE_INTEGER, readyAtMs: null };

/** What the commits of this process are like, one by one, and how long the event loop stands still meanwhile. */
import { type SQLInputValue, type StatementResultingChanges, StatementSync } from 'node:sqlite';
import type { TestContext } from 'node:test';

/**
 * From now on: how many rows each transaction writes and deletes.
 * @param before is called before each commit
 */
export function watchCommits(context: TestContext, before?: () => void): readonly number[] {
  const sizes: number[] = [];
  let size = 0;
  const run: unknown = Reflect.get(StatementSync.prototype, 'run');
  context.mock.method(StatementSync.prototype, 'run', function counted(this: StatementSync, ...values: SQLInputValue[]) {
    if (this.sourceSQL === 'COMMIT') before?.();
    const result = Reflect.apply(run as (...values: SQLInputValue[]) => unknown, this, values) as StatementResultingChanges;
    if (this.sourceSQL.startsWith('BEGIN')) size = 0;
    else if (this.sourceSQL === 'COMMIT') sizes.push(size);
    else size += Number(result.changes);
    return result;
  });
  return sizes;
}

/** How often the event loop turns while `work` is done. */
export async function turnsOfTheLoop(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isDone = true;
  return turns;
}

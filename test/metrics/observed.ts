/** Shared by the tests of the metrics: a store that is observed, and what was counted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Metrics } from '../../src/metrics/metrics.ts';
import { type EndedTurn, observed } from '../../src/metrics/observed-store.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { seriesOf } from '../support/numbers.ts';

export interface Setup {
  readonly store: Store;
  /** The same, not observed. */
  readonly inner: Store;
  readonly ended: EndedTurn[];
  readonly series: (name: string) => Promise<Record<string, number>>;
}

export function setUp(context: TestContext): Setup {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-metrics-'));
  const inner = openSqliteStore(join(folder, 'turnkeep.db'));
  context.after(async () => {
    await inner.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return setUpOn(inner);
}

/** Another process on the same database. */
export function setUpOn(inner: Store): Setup {
  const metrics = new Metrics();
  const ended: EndedTurn[] = [];
  return {
    inner,
    store: observed(inner, { metrics, onTurnEnd: (turn) => ended.push(turn) }),
    ended,
    series: async (name) => seriesOf(await metrics.text(), name),
  };
}

export function row(seq: number) {
  return { seq, type: 'response.output_text.delta', data: '{}' };
}

/** What is reported and counted in the background has been. */
export const reported = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

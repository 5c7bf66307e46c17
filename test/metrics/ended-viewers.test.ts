/** What those who followed a turn held is let go when they leave, whether or not anybody ever asks for the metrics (T12). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { JournalRow } from '../../src/domain/response/response-event.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { observed } from '../../src/metrics/observed-store.ts';
import type { JournalFollower, Store } from '../../src/store/ports/store.ts';
import { newTurn } from '../store/contract.ts';
import { never, theirTurn } from '../store/contract-follow.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { Journal } from '../support/journal.ts';
import { seriesOf } from '../support/numbers.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Follows a turn from its first row to its seal, as a gateway does; what it saw is not kept. */
async function watch(store: Store, id: string, batches: WeakRef<readonly JournalRow[]>[]): Promise<JournalFollower> {
  const journal = await Journal.open(store, newTurn(id));
  const viewer = store.follow(id, -1, never);
  const reading = (async () => {
    for await (const rows of viewer) batches.push(new WeakRef(rows));
  })();
  for (let at = 0; at < 5; at += 1) await journal.append(store, 4, 1_000);
  await journal.seal(store);
  await reading;
  return viewer;
}

test('T12 · an ended viewer lets its batches go at once, also where it is held itself', async () => {
  await using database = temporaryDatabase();
  const metrics = new Metrics();
  const store = observed(database.open(), { metrics, onTurnEnd: () => undefined });
  const batches: WeakRef<readonly JournalRow[]>[] = [];
  const viewers: JournalFollower[] = [];
  for (let at = 0; at < 40; at += 1) viewers.push(await watch(store, `resp_${at}`, batches));
  // What the last call of an async function held lives until the next turn of the loop.
  await theirTurn();
  collectGarbage();
  assert.ok(batches.length >= 40 * 5);
  assert.equal(batches.filter((batch) => batch.deref() !== undefined).length, 0);
  assert.equal(viewers.length, 40);
});

test('the metrics forget a viewer when it ends, and count the others', async () => {
  await using database = temporaryDatabase();
  const metrics = new Metrics();
  const store = observed(database.open(), { metrics, onTurnEnd: () => undefined });
  const viewers = async () => seriesOf(await metrics.text(), 'turnkeep_viewers');
  const refs: WeakRef<JournalFollower>[] = [];
  for (let at = 0; at < 3; at += 1) refs.push(new WeakRef(await watch(store, `resp_${at}`, [])));
  const leave = new AbortController();
  const staying = store.follow('resp_0', -1, leave.signal);
  await staying[Symbol.asyncIterator]().next();
  await theirTurn();
  collectGarbage();
  assert.deepEqual(
    refs.map((ref) => ref.deref()),
    [undefined, undefined, undefined],
  );
  assert.deepEqual(Object.values(await viewers()), [1]);
  leave.abort();
  assert.deepEqual(Object.values(await viewers()), [], 'none');
});

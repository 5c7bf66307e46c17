/** What every driver of the store must do: what is recorded of attempts, along with the writes that it led to. */
import assert from 'node:assert/strict';
import type { RecordingPart } from '../../src/domain/turn/recording.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, expiredLease, inserted, lease, newTurn, row, sealOf } from './contract.ts';

function partOf(epoch: number, part: number, ...data: readonly number[]): RecordingPart {
  return { step: 1, attempt: 1, epoch, part, data: Uint8Array.from(data) };
}

async function recorded(store: Store): Promise<readonly (readonly [number, number, ...number[]])[]> {
  return (await store.readRecordings('resp_a')).map(({ epoch, part, data }) => [epoch, part, ...data] as const);
}

const key = { turn: 'resp_a', step: 1, attempt: 1 };

export function recordingsContract(contract: Contract): void {
  contract('a recording comes with the writes of its run, byte for byte, and is read in its order', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    assert.deepEqual(await store.readRecordings('resp_a'), []);
    const { epoch } = await claimed(store, 'resp_a');
    const first = [partOf(epoch, 0, 0, 255, 128)];
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key, recording: first }), true);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(4)], recording: [partOf(epoch, 1), partOf(epoch, 2, 7)] }), true);
    const end = { endedAtMs: 9, outcome: 'completed', recording: [partOf(epoch, 3, 1)] } as const;
    await store.seal(sealOf('resp_a', epoch, { rows: [row(5)], attempt: { ...key, end } }));
    assert.deepEqual(await recorded(database.open()), [
      [epoch, 0, 0, 255, 128],
      [epoch, 1],
      [epoch, 2, 7],
      [epoch, 3, 1],
    ]);
    const [part] = await store.readRecordings('resp_a');
    assert.deepEqual(part, first[0]);
    const [attempt] = await store.readAttempts('resp_a');
    assert.ok(attempt !== undefined && !('recording' in attempt));
    assert.deepEqual(await store.readRecordings('resp_b'), []);
  });

  contract('T7 · what a fenced writer has recorded is refused with its rows; each run has its own', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const dead = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.endAttempt(key, dead.epoch, { endedAtMs: 9, outcome: 'failed', waitMs: 0, recording: [partOf(dead.epoch, 0, 1)] });
    const heir = await claimed(store, 'resp_a', { lease });
    assert.equal(await store.append({ turn: 'resp_a', epoch: dead.epoch, rows: [row(3)], recording: [partOf(dead.epoch, 1, 2)] }), false);
    assert.equal(await store.append({ turn: 'resp_a', epoch: heir.epoch, rows: [row(3)], recording: [partOf(heir.epoch, 0, 3)] }), true);
    assert.deepEqual(await recorded(store), [
      [dead.epoch, 0, 1],
      [heir.epoch, 0, 3],
    ]);
  });

  contract('T14 · a long recording is read in pages, over its runs', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const dead = await claimed(store, 'resp_a', { lease: expiredLease });
    const first = [partOf(dead.epoch, 0), partOf(dead.epoch, 1)];
    await store.endAttempt(key, dead.epoch, { endedAtMs: 9, outcome: 'failed', waitMs: 0, recording: first });
    const { epoch } = await claimed(store, 'resp_a', { lease });
    await store.append({ turn: 'resp_a', epoch, rows: [row(3)], recording: [partOf(epoch, 0), partOf(epoch, 1)] });
    const page = await store.readRecordings('resp_a', { limit: 3 });
    const rest = await store.readRecordings('resp_a', { after: page.at(-1), limit: 3 });
    assert.deepEqual([page.length, [...page, ...rest]], [3, await store.readRecordings('resp_a')]);
    assert.deepEqual(await store.readRecordings('resp_a', { after: rest.at(-1), limit: 3 }), []);
  });

  for (const by of ['owner', 'retention']) {
    contract(`a recording is dropped with its journal by ${by}, however long it is, and nothing of it comes back`, async (store) => {
      await inserted(store, newTurn('resp_a'));
      const { epoch } = await claimed(store, 'resp_a');
      const recording = Array.from({ length: 700 }, (_, part) => partOf(epoch, part, part % 256));
      assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key, recording }), true);
      await store.seal(sealOf('resp_a', epoch, { rows: [row(4)] }));
      assert.equal((await store.readRecordings('resp_a')).length, 700);
      const cut = { beforeMs: Date.now() + 9_000, atMs: Date.now() };
      if (by === 'owner') await store.deleteTurn('default', 'resp_a', cut.atMs);
      else for (let from = await store.expire(cut); from !== undefined;) from = await store.expire(cut, from);
      assert.deepEqual(await store.readRecordings('resp_a'), []);
      await store.endAttempt(key, epoch, { endedAtMs: 9, outcome: 'lost', recording: [partOf(epoch, 700, 1)] });
      assert.deepEqual(await store.readRecordings('resp_a'), []);
    });
  }
}

/** What every driver of the store must do: who followed a turn, and what is told of an attempt and of an approval afterwards. */
import assert from 'node:assert/strict';
import type { AttemptFacts } from '../../src/domain/turn/attempt.ts';
import { mostViewers, type ViewerRow } from '../../src/domain/turn/viewer.ts';
import { claimed, type Contract, ended, expiredLease, inserted, lease, newTurn, row, sealOf } from './contract.ts';

function viewer(id: string, fields: Partial<ViewerRow> = {}): ViewerRow {
  return { turn: 'resp_a', id, protocol: 'sse', openedAtMs: 1_000, fromSeq: 0, lastSeq: -1, ...fields };
}

export function viewersContract(contract: Contract): void {
  contract('viewers are noted, and brought up to date, for every process to read', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    await inserted(store, newTurn('resp_b'));
    await store.noteViewers([viewer('v1'), viewer('v2', { openedAtMs: 2_000, protocol: 'websocket' }), viewer('v3', { turn: 'resp_b' })]);
    const done = viewer('v1', { lastSeq: 7, lastAtMs: 3_000, closedAtMs: 3_001, end: 'saw_end' });
    await store.noteViewers([done]);
    const other = database.open();
    assert.deepEqual(await other.readViewers('resp_a'), [done, viewer('v2', { openedAtMs: 2_000, protocol: 'websocket' })]);
    assert.deepEqual(await other.readViewers('resp_b'), [viewer('v3', { turn: 'resp_b' })]);
    assert.deepEqual(await other.readViewers('resp_c'), []);
  });

  contract('of a turn with very many viewers the last ones are kept', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const all = Array.from({ length: mostViewers + 20 }, (_, index) => viewer(`v${index}`, { openedAtMs: 1_000 + index }));
    await store.noteViewers(all.slice(0, 70));
    await store.noteViewers(all.slice(70));
    assert.deepEqual(await store.readViewers('resp_a'), all.slice(-mostViewers));
  });

  contract('viewers go with the journal, and none is noted of a turn without one', async (store) => {
    await ended(store, 'resp_a', { session: null });
    await store.noteViewers([viewer('v1'), viewer('v2', { turn: 'resp_nobody' })]);
    assert.equal((await store.readViewers('resp_a')).length, 1);
    assert.equal(await store.deleteTurn('default', 'resp_a', 5_000), true);
    await store.noteViewers([viewer('v4')]);
    assert.deepEqual([await store.readViewers('resp_a'), await store.readViewers('resp_nobody')], [[], []]);
  });

  contract('an attempt keeps its epoch, its run, its causes, and where the journal was when it broke off', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const run = { workflowId: 'turn/resp_a', runId: 'run_1' };
    const first = await claimed(store, 'resp_a', { lease: { holder: 'one', lengthMs: 60_000 }, run });
    const causes = [
      { name: 'TypeError', message: '' },
      { name: 'Error', code: 'ECONNRESET', message: 'read ECONNRESET' },
    ];
    const facts: AttemptFacts = { sentAtMs: 5, headersAtMs: 6, causes, retry: 'retry_delay' };
    const end = { endedAtMs: 9, outcome: 'failed', code: 'transport_failed', waitMs: 0, facts } as const;
    await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, first.epoch, end);
    const second = await claimed(store, 'resp_a', { lease: expiredLease });
    await store.append({
      turn: 'resp_a',
      epoch: second.epoch,
      rows: [row(3), row(4)],
      starts: { turn: 'resp_a', step: 1, attempt: second.attempt },
    });
    const { epoch } = await store.fence('resp_a');
    await store.seal(sealOf('resp_a', epoch, { rows: [row(5), row(6)] }));
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ epoch: of, runId, holder, lastSeq, facts: told }) => [of, runId, holder, lastSeq, told]),
      [
        [1, 'run_1', 'one', 2, facts],
        [2, undefined, 'dead', 4, undefined],
      ],
    );
  });

  contract('an attempt that ends its turn tells where the journal was before the end', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    const end = { endedAtMs: 9, outcome: 'failed', code: 'stream_interrupted' } as const;
    await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: { turn: 'resp_a', step: 1, attempt: 1 } });
    await store.seal(sealOf('resp_a', epoch, { rows: [row(4), row(5)], attempt: { turn: 'resp_a', step: 1, attempt: 1, end } }));
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ lastSeq }) => lastSeq),
      [3],
    );
  });

  contract('an attempt that is lost to the next one tells where the journal was', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await claimed(store, 'resp_a', { lease: expiredLease });
    await claimed(store, 'resp_a', { lease });
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ outcome, lastSeq }) => [outcome, lastSeq]),
      [
        ['lost', 2],
        [undefined, undefined],
      ],
    );
  });

  contract('a request for an approval says who answered it, and how, to those who asked and to those who answered', async (store) => {
    await ended(store, 'resp_a');
    const origin = { call_id: 'call_1', name: 'wipe' } as never;
    const call = { number: 0, position: null, serverLabel: 'turnkeep', name: 'wipe', arguments: '{}', origin, approvalRequestId: 'mcpr_1' };
    const answered = [
      { id: 'mcpr_1', askedBy: 'resp_a' },
      { id: 'mcpr_2', askedBy: 'resp_a' },
    ];
    await inserted(store, newTurn('resp_b', { previous: 'resp_a', approvals: { answered, calls: [call] } }));
    const told = (await store.readApprovals('resp_a')).map(
      ({ id, askedBy, answer }) => `${id} of ${askedBy} by ${answer?.turn}: ${answer?.isApproved}`,
    );
    assert.deepEqual(new Set(told), new Set(['mcpr_1 of resp_a by resp_b: true', 'mcpr_2 of resp_a by resp_b: false']));
    assert.deepEqual(await store.readApprovals('resp_b'), await store.readApprovals('resp_a'));
  });
}

/** What every driver of the store must do: steps behind one another, and the calls of tools that workers run between them. */
import assert from 'node:assert/strict';
import type { AttemptKey } from '../../src/domain/turn/attempt.ts';
import type { OutputItem } from '../../src/domain/item.ts';
import type { HiddenReasoning } from '../../src/domain/response/hidden-reasoning.ts';
import type { JournalRow } from '../../src/domain/response/response-event.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { NewToolCall, ToolCallEnd } from '../../src/domain/agents/tool-call.ts';
import type { Claim, ClaimRequest, NewTurn, StepEnd, Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, expiredLease, inserted, lease, newTurn, sealOf, settle } from './contract.ts';

export function newCall(number: number, fields: Partial<NewToolCall> = {}): NewToolCall {
  const origin = { call_id: `call_${number}`, step: 1 };
  return { number, position: number, serverLabel: 'files', name: 'read', arguments: '{"path":"a"}', origin, ...fields };
}

const completed: ToolCallEnd = { outcome: 'completed', result: 'all of it', end: { status: 'completed', output: 'all of it' } };

/** Whoever settles the turn reads it back. */
function row(seq: number): JournalRow {
  const type = 'response.mcp_call.in_progress';
  return { seq, type, data: JSON.stringify({ type, sequence_number: seq }) };
}

/** The end of a step, with one row behind those there are. */
export async function endOf(store: Store, key: AttemptKey, epoch: number, fields: Partial<StepEnd> = {}): Promise<StepEnd> {
  const attempt = { ...key, end: { endedAtMs: Date.now(), outcome: 'completed' } } as const;
  return { turn: key.turn, epoch, rows: [await nextRow(store, key.turn)], attempt, calls: [newCall(0)], isLast: false, ...fields };
}

async function nextRow(store: Store, turn: string): Promise<JournalRow> {
  return row(Number((await store.readHead(turn))?.last) + 1);
}

/** A turn whose first step has called tools. */
async function calling(store: Store, turn: string, fields: Partial<StepEnd> = {}): Promise<{ readonly epoch: number }> {
  await inserted(store, newTurn(turn));
  const { epoch, attempt } = await claimed(store, turn);
  assert.equal(await store.endStep(await endOf(store, { turn, step: 1, attempt }, epoch, fields)), 'ended');
  return { epoch };
}

/** The right to carry out the calls before a step. */
async function takeTools(store: Store, turn: string, fields: Partial<ClaimRequest> = {}): Promise<Claim & { readonly type: 'tools' }> {
  const claim = await store.claim({ turn, step: 2, lease, ...fields });
  assert.equal(claim.type, 'tools');
  return claim;
}

async function overdue(store: Store): Promise<unknown[]> {
  // At this very millisecond too.
  return (await store.listOverdue({ dueForMs: -1, limit: 9 })).map(({ turn, step, epoch }) => [turn, step, epoch]);
}

/** Of each call, by its number: how often it was begun, and how it ended. */
async function fatesOf(store: Store, turn: string): Promise<unknown[]> {
  return (await store.readToolCalls(turn)).map(({ number, runs, outcome }) => [number, runs, outcome]);
}

async function seqsOf(store: Store, turn: string): Promise<number[]> {
  return (await store.readJournal(turn)).map(({ seq }) => seq);
}

export function toolCallsContract(contract: Contract): void {
  contract('a step ends with its rows, its attempt and its calls at one stroke, and the next one is due', async (store, database) => {
    const calls = [newCall(0), newCall(1, { position: null, approvalRequestId: 'mcpr_1' })];
    await inserted(store, newTurn('resp_a'));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt };
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts: key }), true);
    const usage = { input_tokens: 3 } as unknown as NonNullable<StepEnd['attempt']['end']['usage']>;
    const end = { ...key, end: { endedAtMs: 77, outcome: 'completed', usage } } as const;
    const step = await endOf(store, key, epoch, { attempt: end, calls });
    assert.equal(await store.endStep(step), 'ended');
    assert.equal(await store.endStep(step), 'refused', 'it has ended');
    const other = database.open();
    assert.deepEqual(
      (await other.readAttempts('resp_a')).map((each) => [each.endedAtMs, each.outcome, each.usage]),
      [[77, 'completed', usage]],
    );
    assert.deepEqual(
      await other.readToolCalls('resp_a'),
      calls.map((call) => ({ ...call, turn: 'resp_a', step: 2, runs: 0 })),
    );
    assert.deepEqual([await other.readToolCalls('resp_a', 1), (await other.readToolCalls('resp_a', 2)).length], [[], 2]);
    assert.deepEqual(await seqsOf(other, 'resp_a'), [0, 1, 2, 3, 4]);
    assert.deepEqual(await other.readHead('resp_a'), { epoch, last: 4, isSealed: false, lease: 'none' });
    assert.deepEqual(await overdue(other), [['resp_a', 2, epoch]]);
    assert.deepEqual(await store.listExpiredLeases({ limit: 9, hasWorker: true }), []);
  });

  contract('T13 · what a step or a turn has hidden is for the transcript alone, and goes with its items', async (store, database) => {
    const thought = (id: string): OutputItem => ({ id, type: 'reasoning', status: 'completed', summary: [] });
    const hidden = (item: string): HiddenReasoning => ({ item, maker: 'default/m', encrypted: `E ${item}` });
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const step = await endOf(store, { turn: 'resp_a', step: 1, attempt }, epoch, { calls: [], hidden: [hidden('rs_1'), hidden('rs_2')] });
    assert.equal(await store.endStep({ ...step, epoch: epoch - 1 }), 'refused');
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), [], 'T7 · by whom the turn was taken from');
    assert.equal(await store.endStep(step), 'ended');
    const other = database.open();
    assert.deepEqual(await other.readHiddenReasoning('resp_a'), [hidden('rs_1'), hidden('rs_2')]);
    const next = await claimed(other, 'resp_a', { step: 2 });
    const output = ['rs_1', 'rs_2', 'rs_3'].map(thought);
    await other.seal(sealOf('resp_a', next.epoch, { output, hidden: [hidden('rs_3')] }));
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    const hiddenOf = async () => (await store.readTranscript('resp_b')).map(({ hidden: of }) => of);
    assert.deepEqual(await hiddenOf(), [['rs_1', 'rs_2', 'rs_3'].map(hidden)]);
    const row = await store.readSession('default', 'conv_a');
    assert.ok(row);
    const seen = [
      await store.readSessionItems(row, { limit: 9, order: 'asc' }),
      [...((await store.findItems('default', ['rs_1'], 1_000)) ?? [])],
    ];
    assert.doesNotMatch(JSON.stringify([seen, await store.readResponse('resp_a'), await store.readJournal('resp_a')]), /E rs_/);
    await store.deleteSessionItem(row, 'rs_2');
    assert.deepEqual(await hiddenOf(), [['rs_1', 'rs_3'].map(hidden)]);
  });

  contract('what a turn has hidden is deleted with it', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    const hidden = [{ item: 'rs_1', maker: 'default/m', encrypted: 'E1' }];
    await store.seal(sealOf('resp_a', epoch, { hidden }));
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), hidden);
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), []);
  });

  contract('of a turn that is not to be stored, its steps alone know what was hidden', async (store) => {
    const settings = { ...defaultSettings('scripted'), store: false };
    await inserted(store, newTurn('resp_a', { settings }));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const hidden = [{ item: 'rs_1', maker: 'default/m', encrypted: 'E1' }];
    await store.endStep(await endOf(store, { turn: 'resp_a', step: 1, attempt }, epoch, { calls: [], hidden }));
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), hidden);
    const next = await claimed(store, 'resp_a', { step: 2 });
    const late = [{ item: 'rs_2', maker: 'default/m', encrypted: 'E2' }];
    await store.seal(sealOf('resp_a', next.epoch, { isStored: false, hidden: late }));
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), hidden);
    for (let left = 1; left > 0;)
      left = await store.purgeUnstored({ acknowledgedBeforeMs: Date.now() + 9, settledBeforeMs: Date.now() + 9 });
    assert.deepEqual(await store.readHiddenReasoning('resp_a'), []);
  });

  contract('T2 · a step that has ended is over for ever, and the next one begins with its calls', async (store, database) => {
    await calling(store, 'resp_a', { calls: [newCall(0), newCall(1)] });
    const other = database.open();
    assert.deepEqual(await other.claim({ turn: 'resp_a', step: 1, lease }), { type: 'over' });
    const { epoch, isLast, lostAttempts, turn, events } = await takeTools(other, 'resp_a');
    assert.deepEqual([isLast, lostAttempts, turn.status, events], [false, 0, 'in_progress', undefined], 'its journal is read apart');
    assert.deepEqual(await overdue(store), [], 'it is claimed');
    assert.equal((await store.readAttempts('resp_a')).length, 1, 'no request is booked for calls');
    assert.deepEqual(await store.claim({ turn: 'resp_a', step: 1, lease }), { type: 'over' }, 'while the next one is held');
    assert.equal((await store.claim({ turn: 'resp_a', step: 2, lease })).type, 'held');
    for (const number of [0, 1]) {
      assert.equal(await other.startToolCall({ turn: 'resp_a', number, epoch }), true);
      const rows = [await nextRow(other, 'resp_a')];
      assert.equal(await other.endToolCall({ turn: 'resp_a', number, epoch, rows, ...completed }), true);
    }
    await other.endToolRound({ turn: 'resp_a', epoch });
    assert.equal((await store.readHead('resp_a'))?.lease, 'none');
    assert.deepEqual(await overdue(store), [['resp_a', 2, epoch]], 'now its request');
    const { attempt, events: shown } = await claimed(store, 'resp_a', { step: 2 });
    assert.deepEqual([attempt, shown], [1, undefined]);
    assert.deepEqual(await overdue(store), []);
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map((each) => [each.step, each.attempt]),
      [
        [1, 1],
        [2, 1],
      ],
    );
    assert.deepEqual(await seqsOf(store, 'resp_a'), [0, 1, 2, 3, 4, 5]);
  });

  contract('T2 · a step is not claimed before the one in front of it is over, however that stands', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const ahead = async (step: number) => (await store.claim({ turn: 'resp_a', step, lease })).type;
    assert.deepEqual([await ahead(2), (await store.readHead('resp_a'))?.epoch], ['ahead', 0], 'a new turn');
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt };
    assert.equal(await ahead(2), 'held', 'its first request is under way');
    await store.endAttempt(key, epoch, { outcome: 'failed', endedAtMs: Date.now() });
    assert.equal(await ahead(2), 'ahead', 'there is to be none');
    const again = await claimed(store, 'resp_a', { lease: expiredLease });
    assert.equal(await ahead(2), 'ahead', 'its writer is lost');
    assert.equal(await store.endStep(await endOf(store, { ...key, attempt: 2 }, again.epoch)), 'ended');
    assert.equal(await ahead(3), 'ahead', 'its calls are not carried out');
    const tools = await takeTools(store, 'resp_a');
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch: tools.epoch });
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch: tools.epoch, rows: [row(4)], ...completed });
    await store.endToolRound({ turn: 'resp_a', epoch: tools.epoch });
    assert.equal(await ahead(3), 'ahead', 'its request is due');
    assert.deepEqual((await store.readAttempts('resp_a')).length, 2, 'nothing is booked');
    assert.equal((await claimed(store, 'resp_a', { step: 2 })).attempt, 1);
  });

  contract('the calls of a round are carried out until each has its end, by whoever comes', async (store, database) => {
    await calling(store, 'resp_a', { calls: [newCall(0), newCall(1)] });
    const dead = await takeTools(store, 'resp_a', { lease: expiredLease });
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch: dead.epoch });
    await store.startToolCall({ turn: 'resp_a', number: 1, epoch: dead.epoch });
    const rows = [row(4)];
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch: dead.epoch, rows, ...completed });
    assert.deepEqual(
      (await store.listExpiredLeases({ limit: 9, hasWorker: true })).map(({ turn, step, hasStarted }) => [turn, step, hasStarted]),
      [['resp_a', 2, false]],
    );
    const other = database.open();
    const heir = await takeTools(other, 'resp_a');
    assert.ok(heir.epoch > dead.epoch);
    await other.startToolCall({ turn: 'resp_a', number: 1, epoch: heir.epoch });
    assert.deepEqual(
      await fatesOf(store, 'resp_a'),
      [
        [0, 1, 'completed'],
        [1, 2, undefined],
      ],
      'runs are counted',
    );
    const [, second] = await store.readToolCalls('resp_a');
    assert.ok(second?.startedAtMs !== undefined && second.endedAtMs === undefined);
  });

  contract('T2 · a turn that ends with its calls is never asked for again, also once they have ended', async (store) => {
    await calling(store, 'resp_a', { isLast: true });
    const dead = await takeTools(store, 'resp_a', { lease: expiredLease });
    assert.equal(dead.isLast, true);
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch: dead.epoch });
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch: dead.epoch, rows: [row(4)], ...completed });
    const heir = await takeTools(store, 'resp_a');
    assert.equal(heir.isLast, true);
    assert.equal((await store.seal(sealOf('resp_a', heir.epoch, { rows: [row(5)] }))).type, 'sealed');
    assert.deepEqual(await fatesOf(store, 'resp_a'), [[0, 1, 'completed']], 'the seal leaves it its end');
  });

  contract('T7 · a zombie of a lower epoch ends no step, and starts, ends and shows no call', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const zombie = await claimed(store, 'resp_a', { lease: expiredLease });
    const other = database.open();
    const heir = await claimed(other, 'resp_a');
    const key = { turn: 'resp_a', step: 1 };
    assert.equal(await store.endStep(await endOf(store, { ...key, attempt: 1 }, zombie.epoch)), 'refused');
    assert.deepEqual([await store.readToolCalls('resp_a'), await seqsOf(store, 'resp_a')], [[], [0, 1, 2]]);
    assert.equal((await other.readHead('resp_a'))?.lease, 'live');
    assert.equal(await other.endStep(await endOf(other, { ...key, attempt: 2 }, heir.epoch, { calls: [newCall(0), newCall(1)] })), 'ended');

    const late = await takeTools(store, 'resp_a', { lease: expiredLease });
    const { epoch } = await takeTools(other, 'resp_a');
    for (const low of [zombie.epoch, late.epoch]) {
      assert.equal(await store.startToolCall({ turn: 'resp_a', number: 0, epoch: low }), false);
      const shown = { position: 4, rows: [row(4)] };
      assert.equal(await store.startToolCall({ turn: 'resp_a', number: 0, epoch: low, shown }), false);
      assert.equal(await store.endToolCall({ turn: 'resp_a', number: 0, epoch: low, rows: [row(4)], ...completed }), false);
      await store.endToolRound({ turn: 'resp_a', epoch: low });
    }
    assert.deepEqual(await fatesOf(other, 'resp_a'), [
      [0, 0, undefined],
      [1, 0, undefined],
    ]);
    assert.deepEqual([await seqsOf(other, 'resp_a'), (await other.readHead('resp_a'))?.lease], [[0, 1, 2, 3], 'live']);
    assert.equal(await other.startToolCall({ turn: 'resp_a', number: 0, epoch }), true);
  });

  contract('T7 · rows of a step and of a call leave no gap: what does not follow is refused, and books nothing', async (store) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt };
    for (const seq of [2, 4]) assert.equal(await store.endStep(await endOf(store, key, epoch, { rows: [row(seq)] })), 'refused');
    assert.equal((await store.readAttempts('resp_a'))[0]?.outcome, undefined);
    assert.equal(await store.endStep(await endOf(store, key, epoch)), 'ended');
    const tools = await takeTools(store, 'resp_a');
    for (const seq of [3, 5]) {
      const call = { turn: 'resp_a', number: 0, epoch: tools.epoch };
      assert.equal(await store.startToolCall({ ...call, shown: { position: 9, rows: [row(seq)] } }), false);
      assert.equal(await store.endToolCall({ ...call, rows: [row(seq)], ...completed }), false);
    }
    assert.deepEqual(await fatesOf(store, 'resp_a'), [[0, 0, undefined]]);
    assert.equal((await store.readToolCalls('resp_a'))[0]?.position, 0);
    assert.deepEqual(await seqsOf(store, 'resp_a'), [0, 1, 2, 3]);
  });

  contract('T5 · an accepted cancel ends the step with nothing, and no call is begun behind it', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    await database.open().requestCancel('default', 'resp_a', 5);
    assert.equal(await store.endStep(await endOf(store, { turn: 'resp_a', step: 1, attempt }, epoch)), 'cancel_requested');
    assert.deepEqual([await store.readToolCalls('resp_a'), await seqsOf(store, 'resp_a')], [[], [0, 1, 2]]);
    assert.equal((await store.readHead('resp_a'))?.lease, 'live', 'its holder is to write the end');
    assert.equal((await store.readAttempts('resp_a'))[0]?.outcome, undefined);

    await calling(store, 'resp_b');
    await store.requestCancel('default', 'resp_b', 5);
    assert.deepEqual(await store.claim({ turn: 'resp_b', step: 2, lease }), { type: 'cancelled' });
    assert.deepEqual(
      (await store.listOverdue({ dueForMs: -1, limit: 9 })).map(({ turn, isCancelRequested }) => [turn, isCancelRequested]),
      [['resp_b', true]],
    );
    assert.deepEqual(await settle(store, 'resp_b'), { status: 'cancelled', code: null });

    await calling(store, 'resp_c');
    const tools = await takeTools(store, 'resp_c');
    await database.open().requestCancel('default', 'resp_c', 5);
    for (const shown of [{}, { shown: { position: 1, rows: [row(4)] } }]) {
      assert.equal(await store.startToolCall({ turn: 'resp_c', number: 0, epoch: tools.epoch, ...shown }), false);
    }
    assert.deepEqual([await fatesOf(store, 'resp_c'), (await seqsOf(store, 'resp_c')).length], [[[0, 0, undefined]], 4]);
  });

  contract('a call keeps its end, and its place once it is shown', async (store) => {
    await calling(store, 'resp_a', { calls: [newCall(0, { position: null })] });
    const { epoch } = await takeTools(store, 'resp_a');
    const call = { turn: 'resp_a', number: 0 };
    await store.startToolCall({ ...call, epoch, shown: { position: 3, rows: [row(4)] } });
    await store.noteProgress(call, '1 of 2');
    await store.startToolCall({ ...call, epoch });
    assert.deepEqual(
      (await store.readToolCalls('resp_a')).map(({ position, runs, progress }) => [position, runs, progress]),
      [[3, 2, '1 of 2']],
    );
    await store.endToolCall({ ...call, epoch, rows: [row(5)], ...completed });
    const ended = await store.readToolCalls('resp_a');
    assert.ok(ended[0]?.endedAtMs !== undefined);
    await store.noteProgress(call, '2 of 2');
    await store.noteProgress({ turn: 'resp_nobody', number: 0 }, '1 of 2');
    await store.endToolCall({ ...call, epoch, rows: [], outcome: 'failed', result: 'no', end: { status: 'failed', message: 'no' } });
    assert.deepEqual(await store.readToolCalls('resp_a'), ended);
  });

  contract('each run of a call is kept, with whose it was and how it ended; so is the whole result', async (store, database) => {
    await calling(store, 'resp_a', { calls: [newCall(0), newCall(1), newCall(2)] });
    const first = await takeTools(store, 'resp_a', { lease: { ...expiredLease, holder: 'one' } });
    for (const number of [0, 1, 2]) await store.startToolCall({ turn: 'resp_a', number, epoch: first.epoch });
    const second = await takeTools(store, 'resp_a', { lease: { ...lease, holder: 'two' } });
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch: second.epoch });
    const result = 'ä'.repeat(1_000);
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch: second.epoch, rows: [], ...completed, result });
    const unknown = { outcome: 'unknown', result: 'who knows', end: { status: 'failed', message: 'who knows' } } as const;
    await store.endToolCall({ turn: 'resp_a', number: 1, epoch: second.epoch, rows: [], ...unknown });
    await settle(store, 'resp_a');
    const other = database.open();
    assert.deepEqual(
      (await other.readToolCalls('resp_a')).map(({ attempts }) => attempts?.map(({ holder, outcome }) => [holder, outcome])),
      [
        [
          ['one', 'lost'],
          ['two', 'completed'],
        ],
        [['one', 'lost']],
        [['one', 'cut_off']],
      ],
    );
    for (const { attempts = [] } of await other.readToolCalls('resp_a')) {
      for (const { startedAtMs, endedAtMs = 0 } of attempts) assert.ok(startedAtMs > 0 && endedAtMs >= startedAtMs);
    }
    const key = { turn: 'resp_a', number: 0 };
    const pieces = [0, 1_500, 3_000].map((offset) => other.readToolResult(key, { offset, limit: 1_500 }));
    assert.deepEqual(
      (await Promise.all(pieces)).map((piece) => [piece?.total, piece?.bytes.length]),
      [
        [2_000, 1_500],
        [2_000, 500],
        [2_000, 0],
      ],
    );
    const [head, tail] = await Promise.all(pieces);
    assert.equal(Buffer.concat([head?.bytes ?? [], tail?.bytes ?? []] as Uint8Array[]).toString(), result);
    assert.equal(await other.readToolResult({ turn: 'resp_a', number: 2 }, { offset: 0, limit: 9 }), undefined, 'it came to nothing');
    assert.equal(await other.readToolResult({ turn: 'resp_a', number: 3 }, { offset: 0, limit: 9 }), undefined, 'there is none');
  });

  contract('T6 · the end of a turn cuts off the calls that have none, and nothing is begun behind it', async (store, database) => {
    await calling(store, 'resp_a', { calls: [newCall(0), newCall(1), newCall(2)] });
    const { epoch } = await takeTools(store, 'resp_a');
    for (const number of [0, 1]) await store.startToolCall({ turn: 'resp_a', number, epoch });
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch, rows: [row(4)], ...completed });
    const other = database.open();
    assert.deepEqual(await settle(other, 'resp_a'), { status: 'cancelled', code: null });
    const fates = [
      [0, 1, 'completed'],
      [1, 1, 'cut_off'],
      [2, 0, 'cut_off'],
    ];
    assert.deepEqual(await fatesOf(other, 'resp_a'), fates);
    const length = (await other.readJournal('resp_a')).length;
    for (const each of [epoch, epoch + 1]) {
      assert.equal(await store.startToolCall({ turn: 'resp_a', number: 2, epoch: each }), false);
      assert.equal(await store.endToolCall({ turn: 'resp_a', number: 1, epoch: each, rows: [row(length)], ...completed }), false);
      const end = await endOf(store, { turn: 'resp_a', step: 2, attempt: 1 }, each, { calls: [newCall(3)] });
      assert.equal(await store.endStep(end), 'refused');
      await store.endToolRound({ turn: 'resp_a', epoch: each });
    }
    assert.deepEqual([await fatesOf(store, 'resp_a'), (await store.readJournal('resp_a')).length], [fates, length]);
    assert.deepEqual(await overdue(store), []);
    const settled = { status: 'cancelled', code: null };
    for (const step of [1, 2]) assert.deepEqual(await store.claim({ turn: 'resp_a', step, lease }), { type: 'settled', settled });
  });

  contract('T7 · followers here and elsewhere see what ends a step, begins a call and ends it, without a gap', async (store, database) => {
    await inserted(store, newTurn('resp_a'));
    const other = database.open();
    const following = [store, other].map(async (each) => {
      const seen: number[] = [];
      for await (const rows of each.follow('resp_a', -1, AbortSignal.timeout(20_000))) seen.push(...rows.map(({ seq }) => seq));
      return seen;
    });
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const rows = [row(3), row(4)];
    const calls = [newCall(0, { position: null })];
    await store.endStep(await endOf(store, { turn: 'resp_a', step: 1, attempt }, epoch, { rows, calls }));
    const tools = await takeTools(store, 'resp_a');
    const call = { turn: 'resp_a', number: 0, epoch: tools.epoch };
    await store.startToolCall({ ...call, shown: { position: 1, rows: [row(5), row(6)] } });
    await store.endToolCall({ ...call, rows: [row(7)], ...completed });
    await store.seal(sealOf('resp_a', tools.epoch, { rows: [row(8)] }));
    const all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    assert.deepEqual(await Promise.all(following), [all, all]);
  });

  contract('calls that somebody approved are carried out before the first request, each request answered once', async (store) => {
    const origin = { call_id: 'call_0', step: 0 };
    const calls = [newCall(0, { position: null, approvalRequestId: 'mcpr_a', origin })];
    const request = (id: string) => ({ id, askedBy: 'resp_asks' });
    const approvals = { answered: [request('mcpr_a'), request('mcpr_b')], calls };
    await inserted(store, newTurn('resp_a', { approvals }));
    for (const id of ['mcpr_a', 'mcpr_b']) {
      const again = newTurn('resp_b', { bodyHash: 'other', approvals: { answered: [request('mcpr_c'), request(id)], calls: [] } });
      assert.deepEqual(await store.insertTurn(again), { type: 'approval_answered', id });
    }
    await inserted(store, newTurn('resp_c', { tenant: 'other', approvals: { answered: [request('mcpr_a')], calls: [] } }));
    const { epoch, events } = await takeTools(store, 'resp_a', { step: 1 });
    assert.deepEqual(
      events?.map(({ type }) => type),
      ['response.created', 'response.queued', 'response.in_progress'],
    );
    assert.deepEqual([await seqsOf(store, 'resp_a'), (await store.readTurn('resp_a'))?.status], [[0, 1, 2], 'in_progress']);
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch, shown: { position: 0, rows: [row(3)] } });
    await store.endToolCall({ turn: 'resp_a', number: 0, epoch, rows: [row(4)], ...completed });
    await store.endToolRound({ turn: 'resp_a', epoch });
    assert.deepEqual(await overdue(store), [['resp_a', 1, epoch]]);
    assert.equal((await claimed(store, 'resp_a')).attempt, 1);
  });

  contract('a request stays answered though the turn that answered is deleted, and goes with the turn that asked', async (store) => {
    await inserted(store, newTurn('resp_asks'));
    await settle(store, 'resp_asks');
    const approvals = { answered: [{ id: 'mcpr_a', askedBy: 'resp_asks' }], calls: [newCall(0)] };
    await inserted(store, newTurn('resp_a', { bodyHash: 'a', approvals }));
    await settle(store, 'resp_a');
    assert.equal((await store.readToolCalls('resp_a')).length, 1);
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.deepEqual(await store.readToolCalls('resp_a'), []);
    const again = newTurn('resp_b', { bodyHash: 'b', approvals });
    assert.deepEqual(await store.insertTurn(again), { type: 'approval_answered', id: 'mcpr_a' });
    assert.equal(await store.deleteTurn('default', 'resp_asks', 9), true);
    await inserted(store, again);
  });

  contract('an approval is used up by the call that it lets begin: without one it can be answered again', async (store) => {
    const answering = (id: string, more: Partial<NewTurn> = {}) => {
      const calls = [0, 1].map((number) => newCall(number, { position: null, approvalRequestId: `mcpr_${number}` }));
      const answered = ['mcpr_0', 'mcpr_1', 'mcpr_no'].map((each) => ({ id: each, askedBy: 'resp_asks' }));
      return newTurn(id, { bodyHash: id, approvals: { answered, calls }, ...more });
    };
    await store.requestCancel('default', 'resp_early', Date.now());
    await inserted(store, answering('resp_a', { chosenId: 'resp_early' }));
    assert.deepEqual(await store.readToolCalls('resp_a'), [], 'its cancel came before it: it says nothing');
    await settle(store, 'resp_a');

    await inserted(store, answering('resp_b'));
    assert.equal((await store.insertTurn(answering('resp_c'))).type, 'approval_answered', 'while it may be carried out');
    const { epoch } = await takeTools(store, 'resp_b', { step: 1 });
    await store.startToolCall({ turn: 'resp_b', number: 0, epoch, shown: { position: 0, rows: [row(3)] } });
    await settle(store, 'resp_b');
    assert.deepEqual(await fatesOf(store, 'resp_b'), [
      [0, 1, 'cut_off'],
      [1, 0, 'cut_off'],
    ]);
    const again = async (id: string) =>
      (await store.insertTurn(newTurn(`resp_${id}`, { bodyHash: id, approvals: { answered: [{ id, askedBy: 'resp_asks' }], calls: [] } })))
        .type;
    assert.deepEqual(
      [await again('mcpr_0'), await again('mcpr_1'), await again('mcpr_no')],
      ['approval_answered', 'inserted', 'approval_answered'],
    );
  });

  contract('so it does where the turn that answered was not to be stored, which takes its calls with it', async (store) => {
    const settings = { ...defaultSettings('scripted'), store: false };
    const approvals = { answered: [{ id: 'mcpr_a', askedBy: 'resp_asks' }], calls: [newCall(0)] };
    await inserted(store, newTurn('resp_a', { approvals, settings }));
    await settle(store, 'resp_a');
    while ((await store.purgeUnstored({ acknowledgedBeforeMs: 0, settledBeforeMs: Date.now() + 9 })) > 0);
    assert.equal(await store.readTurn('resp_a'), undefined);
    assert.deepEqual(await store.readToolCalls('resp_a'), []);
    assert.deepEqual(await store.insertTurn(newTurn('resp_b', { approvals })), { type: 'approval_answered', id: 'mcpr_a' });
  });

  contract('what is booked of calls is there for a process that comes later', async (store, database) => {
    await calling(store, 'resp_a', { calls: [newCall(0), newCall(1, { position: null })], isLast: true });
    const { epoch } = await takeTools(store, 'resp_a', { lease: expiredLease });
    await store.startToolCall({ turn: 'resp_a', number: 0, epoch });
    await store.noteProgress({ turn: 'resp_a', number: 0 }, 'half');
    const calls = await store.readToolCalls('resp_a');
    await store.close();
    const later = database.open();
    assert.deepEqual(await later.readToolCalls('resp_a'), calls);
    assert.equal((await takeTools(later, 'resp_a')).isLast, true);
    assert.deepEqual(await later.claim({ turn: 'resp_a', step: 1, lease }), { type: 'over' });
  });
}

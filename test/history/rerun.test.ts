/** A turn is run again from its recording: the same journal comes out, to the byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { AbortReason } from '../../src/activities/attempt/abort-reason.ts';
import type { Bundle } from '../../src/history/bundle.ts';
import { RerunDatabase } from '../../src/history/rerun/scene.ts';
import { type RerunReport, rerunTurn } from '../../src/history/rerun/rerun.ts';
import type { Store } from '../../src/store/ports/store.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  fin,
  hold,
  htmlPage,
  httpError,
  reset,
  responsesAnswer,
  type Script,
  sseHead,
  stall,
  text,
  wait,
} from '../../src/testing/model-server/index.ts';
import { bundleOf } from '../support/bundle.ts';
import { scene, sceneOf } from '../activities/support.ts';

async function rerun(bundle: Bundle): Promise<RerunReport> {
  await using database = new RerunDatabase();
  return rerunTurn(database, bundle);
}

async function assertSame(store: Store): Promise<RerunReport> {
  const report = await rerun(await bundleOf(store, 'resp_a'));
  assert.deepEqual([report.outcome, report.reason, report.difference], ['same', undefined, undefined]);
  return report;
}

test('a plain turn is the same again', async () => {
  await using s = await scene(chatAnswer('Hel', 'lo', ' world'));
  await s.attempt();
  const report = await assertSame(s.store);
  assert.deepEqual([report.recorded, report.taken], ['wire', []]);
});

test('deltas are cut where they were, however they came', async () => {
  const pieces = Array.from({ length: 60 }, (_, at) => [chat.content(`word ${at} `), ...(at % 7 === 0 ? [wait(20)] : [])]).flat();
  await using s = await scene([sseHead, ...pieces, chat.finish(), done, end]);
  await s.attempt();
  await assertSame(s.store);
});

const faults: Readonly<Record<string, { readonly scripts: readonly Script[]; readonly api?: 'responses' }>> = {
  'a reset before anything, and an answer': { scripts: [[reset], chatAnswer('Hi')] },
  'a reset amid the headers, three times': { scripts: [[reset], [reset], [reset]] },
  'a reset after the head': { scripts: [[sseHead, reset], chatAnswer('Hi')] },
  'a reset after the start': { scripts: [[sseHead, chat.content('Hel'), wait(40), reset]] },
  'the end of the connection after the start': { scripts: [[sseHead, chat.content('Hel'), chat.content('lo'), wait(40), fin]] },
  'a proper end without a finish': { scripts: [[sseHead, chat.content('Hel'), end]] },
  'a finish, and a reset': { scripts: [[sseHead, chat.content('Hel'), chat.finish(), wait(20), reset]] },
  'a finish, and no usage in time': { scripts: [[sseHead, chat.content('Hel'), chat.finish(), stall]] },
  'a page of HTML': { scripts: [htmlPage()] },
  'a refusal': {
    scripts: [httpError(400, { error: { message: 'no such thing', type: 'invalid_request_error', param: null, code: 'odd' } })],
  },
  'a quota with a date': { scripts: [httpError(429, undefined, { 'retry-after': '7200' })] },
  'a busy provider, and an answer': { scripts: [httpError(503), chatAnswer('Hi')] },
  'broken JSON': { scripts: [[sseHead, chat.content('Hel'), text('data: {"choices":[\n\n'), end]] },
  'an event of an error': {
    scripts: [[sseHead, chat.content('Hel'), text('data: {"error":{"message":"overloaded","code":503}}\n\n'), end]],
  },
  'an answer that is empty': { scripts: [[sseHead, chat.role(), chat.finish(), end]] },
  'an answer that is too long': {
    scripts: [[sseHead, ...Array.from({ length: 40 }, () => chat.content('x'.repeat(400))), chat.finish(), end]],
  },
  'calls without ids': {
    scripts: [
      [
        sseHead,
        chat.toolCall(0, { name: 'one', arguments: '{"a":1}' }),
        chat.toolCall(1, { name: 'two', arguments: '{}' }),
        chat.finish('tool_calls'),
        end,
      ],
    ],
  },
  'calls of the client': {
    scripts: [chatToolCalls({ id: 'call_1', name: 'one', arguments: { a: 1 } }, { id: 'call_2', name: 'two', arguments: {} })],
  },
  'the Responses API': { scripts: [responsesAnswer('Hel', 'lo')], api: 'responses' },
};

for (const [name, { scripts, api = 'chat' }] of Object.entries(faults)) {
  test(`the same again: ${name}`, async () => {
    await using s = await sceneOf({ scripts, api, maxOutputBytes: 10_000 });
    for (let left = scripts.length; left > 0; left -= 1) {
      const settled = await s.attempt().then(
        () => true,
        () => false,
      );
      if (settled) break;
      s.setWait();
    }
    assert.equal((await s.store.readHead('resp_a'))?.isSealed, true);
    await assertSame(s.store);
  });
}

for (const reason of ['cancelled', 'shutdown', 'deadline'] satisfies AbortReason[]) {
  test(`given up from outside (${reason}) at its place, while more is waited for and while a delta is written`, async () => {
    for (const turns of [0, 60]) {
      await using s = await scene([sseHead, chat.content('Hel'), chat.content('lo'), hold('never'), end]);
      const running = s.attempt().catch(() => undefined);
      await s.shown();
      for (let waited = 0; waited < turns; waited += 1) await nextTurnOfTheLoop();
      s.attempts.get('resp_a')?.abort(reason);
      await running;
      await assertSame(s.store);
    }
  });
}

test('the user said more: the answer ends at the same place', async () => {
  const call = [chat.toolCall(0, { id: 'c', name: 'one', arguments: '{"a"' }), hold('more'), chat.toolCall(0, { arguments: ':1}' })];
  for (const pieces of [[chat.content('Hel'), hold('more'), chat.content('lo')], call]) {
    for (const turns of [0, 60]) {
      await using s = await scene([sseHead, ...pieces, chat.content(' there'), chat.finish(), end]);
      const running = s.attempt();
      await s.shown('response.output_item.added');
      for (let waited = 0; waited < turns; waited += 1) await nextTurnOfTheLoop();
      s.attempts.get('resp_a')?.steer();
      s.model.release('more');
      await running;
      await assertSame(s.store);
    }
  }
});

test('with answers what was read is told again, and it says so', async () => {
  for (const script of [chatAnswer('Hel', 'lo'), [sseHead, chat.content('Hel'), wait(40), reset]] satisfies Script[]) {
    await using s = await sceneOf({ scripts: [script], record: 'answers' });
    await s.attempt();
    assert.equal((await assertSame(s.store)).recorded, 'answers');
  }
});

test('without a recording it says what is missing', async () => {
  await using s = await sceneOf({ scripts: [chatAnswer('Hi')], record: 'off' });
  await s.attempt();
  const report = await rerun(await bundleOf(s.store, 'resp_a'));
  assert.deepEqual(
    [report.outcome, report.reason],
    ['not_rerun', 'attempt 1 of step 1 was not recorded: TURNKEEP_RECORD was off, or it is of an earlier version'],
  );
});

test('an answer that is read otherwise is named at its first difference, with the byte it came from', async () => {
  await using s = await scene(chatAnswer('Hello', ' world'));
  await s.attempt();
  const bundle = await bundleOf(s.store, 'resp_a');
  const journal = bundle.journal.map((row) => ({ ...row, data: row.data.replaceAll('Hello', 'Hallo') }));
  const { outcome, difference } = await rerun({ ...bundle, journal });
  assert.equal(outcome, 'differs');
  assert.deepEqual(
    [difference?.type, difference?.path, difference?.expected, difference?.found],
    ['response.output_text.delta', 'delta', '"Hallo"', '"Hello"'],
  );
  assert.ok((difference?.wire?.byte ?? 0) > 0 && difference?.wire?.step === 1 && difference.wire.attempt === 1, JSON.stringify(difference));
});

/**
 * Re-attach to the provider: an answer that its provider keeps is read on where its stream broke, in the same attempt or the next
 * worker's: no new request, no token twice or lost; if it cannot, the law stands.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { nothingSpent } from '../../src/domain/turn/budget.ts';
import type { StepResult } from '../../src/domain/turn/turn-state.ts';
import { StoreBusyError } from '../../src/store/ports/store.ts';
import { event, fin, hold, type KeptAnswer, reset, ResponsesWriter, type Script, stall } from '../../src/testing/model-server/index.ts';
import { until } from '../support/until.ts';
import { tool } from './agent-scene.ts';
import { keptScene, merged } from './kept-scene.ts';

const completed: StepResult = { type: 'final', turn: { status: 'completed', code: null } };
const words = ['One ', 'two ', 'three ', 'four ', 'five.'];

/** Thoughts, a text, a call of the client's: of every kind of item something. */
function answerOf(breaks: KeptAnswer['breaks'] = [], { id = 'resp_p', between = [] }: { id?: string; between?: Script } = {}): KeptAnswer {
  const writer = new ResponsesWriter({ id });
  const steps = [
    ...writer.begin(),
    ...writer.reasoning('I ', 'count.'),
    ...writer.text(...words.slice(0, 3)),
    ...between,
    ...writer.text(...words.slice(3)),
    ...writer.functionCall('call_1', 'note', '{"a":', '1}'),
    ...writer.completed(7, 9),
  ];
  return { steps, breaks };
}

async function unbroken(): Promise<readonly object[]> {
  await using scene = await keptScene({ answers: [answerOf()] });
  assert.deepEqual(await scene.step(1), completed);
  return timeless(await scene.journal());
}

function timeless(events: readonly ResponseEvent[]): readonly object[] {
  const text = JSON.stringify(merged(events)).replaceAll(/"(?:created|completed)_at":\d+/g, '"at":0');
  return JSON.parse(text) as readonly object[];
}

/** What a viewer relies on (T7): dense numbers, one end, and of the answer every token once. */
async function assertWhole(scene: Awaited<ReturnType<typeof keptScene>>): Promise<void> {
  const journal = await scene.journal();
  assert.deepEqual(
    journal.map(({ sequence_number: seq }) => seq),
    journal.map((_, index) => index),
  );
  assert.deepEqual(timeless(journal), await unbroken());
  assert.deepEqual(scene.errors, []);
}

suite('in the same attempt', () => {
  const breaks: Readonly<Record<string, KeptAnswer['breaks']>> = {
    'after it had started': [{ before: 13, by: [fin] }],
    'before it had started': [{ before: 2, by: [fin] }],
    'again and again': Array.from({ length: 20 }, (_, index) => ({ before: index + 2, by: [fin] })),
  };
  for (const [name, each] of Object.entries(breaks)) {
    test(`an answer whose stream broke ${name} is the same as one that did not, of one request`, async () => {
      await using scene = await keptScene({ answers: [answerOf(each)] });
      assert.deepEqual(await scene.step(1), completed);
      await assertWhole(scene);
      assert.equal(scene.requests().filter((request) => request.startsWith('POST')).length, 1);
      const attempts = await scene.store.readAttempts('resp_a');
      assert.deepEqual(
        attempts.map(({ attempt, outcome, keptResponse }) => [attempt, outcome, keptResponse]),
        [[1, 'completed', { id: 'resp_p', after: 2 }]],
      );
      await until(async () => (await scene.store.readAttempts('resp_a'))[0]?.reattachments?.length === each?.length);
      assert.equal((await scene.response()).usage?.total_tokens, 16);
    });
  }

  test('T2 · where the provider has it no more, what had started ends as ever, and its answer is stopped', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [hold('told'), reset] }])] });
    const step = scene.step(1);
    await scene.shown('two ');
    scene.answers.forget();
    scene.model.release('told');
    assert.deepEqual(await step, { type: 'final', turn: { status: 'failed', code: 'stream_interrupted' } });
    await until(async () => scene.answers.cancelled.length === 1);
    assert.deepEqual(scene.requests(), ['POST ', 'GET /resp_p?stream=true&starting_after=12', 'POST /resp_p/cancel']);
  });

  test('T3 · and what had not started is asked again', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 2, by: [hold('told'), fin] }]), answerOf([], { id: 'resp_q' })] });
    const first = scene.step(1);
    await until(async () => (await scene.store.readAttempts('resp_a'))[0]?.keptResponse !== undefined);
    scene.answers.forget();
    scene.model.release('told');
    await assert.rejects(first, { type: 'transport_failed', nonRetryable: false });
    await until(async () => scene.answers.cancelled.length === 1);
    await until(async () => {
      const { endedAtMs = 0, waitMs = 0 } = (await scene.store.readAttempts('resp_a'))[0] ?? {};
      return Date.now() >= endedAtMs + waitMs;
    });
    assert.deepEqual(await scene.step(1), completed);
    await assertWhole(scene);
    assert.equal((await scene.store.readAttempts('resp_a')).length, 2);
  });

  test('T5 · a cancel closes the socket, and reaches the provider: a stop stops the bill', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])] });
    const process = scene.process();
    const step = scene.step(1, process);
    await scene.shown('two ');
    process.attempts.get('resp_a')?.abort('cancelled');
    assert.deepEqual(await step, { type: 'final', turn: { status: 'cancelled', code: null } });
    await scene.model.clientClosed(1);
    await until(async () => scene.answers.cancelled.length === 1);
    assert.deepEqual(scene.answers.cancelled, ['resp_p']);
  });

  test('a turn that is not to be stored is kept by nobody', async () => {
    await using scene = await keptScene({ answers: [answerOf()], settings: { store: false } });
    assert.deepEqual(await scene.step(1), completed);
    const { store, background } = (scene.model.requests[0]?.body ?? {}) as { readonly store?: unknown; readonly background?: unknown };
    assert.deepEqual([store, background], [false, undefined]);
  });
});

suite('in the next worker', () => {
  test('T7 · it reads the answer on and tells what is not told yet; the one that stood still is refused', async () => {
    const between = [hold('more')];
    await using scene = await keptScene({ answers: [answerOf([], { between })] });
    const frozen = scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('three ');
    scene.expireLeases();
    const next = scene.step(1);
    await until(async () => scene.requests().length === 2);
    // Both are told more, and one may say it.
    scene.model.release('more');
    assert.deepEqual(await next, completed);
    await frozen;
    await assertWhole(scene);
    assert.deepEqual(scene.requests(), ['POST ', 'GET /resp_p?stream=true']);
    const attempts = await scene.store.readAttempts('resp_a');
    assert.deepEqual(
      attempts.map(({ attempt, outcome, reattachments }) => [attempt, outcome, reattachments?.map(({ reason }) => reason)]),
      [[1, 'completed', ['worker_lost']]],
    );
    assert.deepEqual(scene.answers.cancelled, []);
  });

  // Of its beat, which has waited, or of timers that were due while it stood still.
  for (const reason of ['fenced', 'deadline', 'cancelled'] as const) {
    test(`T5 · T7 · one that wakes behind the end that the next has read, and is aborted (${reason}), stops no answer`, async () => {
      await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])] });
      const frozen = scene.frozen();
      const first = scene.step(1, frozen);
      await scene.shown('two ');
      scene.expireLeases();
      assert.deepEqual(await scene.step(1), completed);
      frozen.attempts.get('resp_a')?.abort(reason);
      assert.deepEqual(await first, completed);
      assert.deepEqual(scene.stops, []);
    });
  }

  test('T7 · one that wakes before it has read all again ends no turn that the next reads on', async () => {
    const breaks = [
      { before: 13, by: [stall] },
      { before: 5, by: [stall] },
    ];
    await using scene = await keptScene({ answers: [answerOf(breaks, { between: [hold('more')] })] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('two ');
    scene.expireLeases();
    const frozen = scene.frozen();
    const behind = scene.step(1, frozen);
    await until(async () => scene.requests().length === 2);
    scene.expireLeases();
    const next = scene.step(1);
    await scene.model.reached('more');
    frozen.attempts.get('resp_a')?.abort('deadline');
    await assert.rejects(behind, { type: 'worker_lost', nonRetryable: false });
    scene.model.release('more');
    assert.deepEqual(await next, completed);
    assert.deepEqual(scene.stops, []);
  });

  test('T7 · nor one that wakes, looks, and stands still once more before it writes what it came to', async () => {
    const breaks = [
      { before: 13, by: [stall] },
      { before: 5, by: [stall] },
    ];
    await using scene = await keptScene({ answers: [answerOf(breaks, { between: [hold('more')] })] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('two ');
    scene.expireLeases();
    let next: ReturnType<typeof scene.step> | undefined;
    const frozen = scene.process({
      calls: {
        beat: () => new Promise(() => undefined),
        async endAttempt(...end) {
          scene.expireLeases();
          next ??= scene.step(1);
          await scene.model.reached('more');
          return scene.store.endAttempt(...end);
        },
      },
    });
    const behind = scene.step(1, frozen);
    await until(async () => scene.requests().length === 2);
    frozen.attempts.get('resp_a')?.abort('deadline');
    await assert.rejects(behind, { type: 'worker_lost', nonRetryable: false });
    scene.model.release('more');
    assert.deepEqual(await next, completed);
    assert.deepEqual(
      (await scene.store.readAttempts('resp_a')).map(({ outcome, code }) => [outcome, code]),
      [['completed', undefined]],
    );
    assert.deepEqual(scene.stops, []);
  });

  test('also where nothing was shown yet: the request is paid for, and not made again', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 2, by: [stall] }])] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await until(async () => (await scene.store.readAttempts('resp_a'))[0]?.keptResponse !== undefined);
    scene.expireLeases();
    assert.deepEqual(await scene.step(1), completed);
    await assertWhole(scene);
    assert.deepEqual(scene.requests(), ['POST ', 'GET /resp_p?stream=true']);
  });

  test('and in the one after that, and over a break of its own', async () => {
    const answer = answerOf([
      { before: 12, by: [stall] },
      { before: 14, by: [stall] },
      { before: 13, by: [fin] },
    ]);
    await using scene = await keptScene({ answers: [answer] });
    const dead = [scene.frozen(), scene.frozen()];
    for (const [index, text] of ['One ', 'three '].entries()) {
      scene.step(1, dead[index]).catch(() => undefined);
      await scene.shown(text);
      scene.expireLeases();
    }
    assert.deepEqual(await scene.step(1), completed);
    await assertWhole(scene);
    assert.equal(scene.requests().filter((request) => request === 'POST ').length, 1);
  });

  test('also where its first connection breaks before it brings anything', async () => {
    const breaks = [
      { before: 13, by: [stall] },
      { before: 0, by: [hold('asked'), reset] },
      { before: 0, by: [fin] },
    ];
    await using scene = await keptScene({ answers: [answerOf(breaks)] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('two ');
    scene.expireLeases();
    const next = scene.step(1);
    // Its head is here: what breaks is the answer.
    await scene.model.reached('asked');
    scene.model.release('asked');
    assert.deepEqual(await next, completed);
    await assertWhole(scene);
    const again = 'GET /resp_p?stream=true';
    assert.deepEqual(scene.requests(), ['POST ', again, again, again]);
  });

  test('T9 · a worker that shuts down passes the answer on, and ends nothing', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])] });
    const process = scene.process();
    const first = scene.step(1, process);
    await scene.shown('two ');
    const draining = process.attempts.drain(0);
    await assert.rejects(first, { type: 'worker_lost', nonRetryable: false });
    await draining;
    assert.deepEqual(scene.answers.cancelled, []);
    assert.deepEqual(await scene.step(1), completed);
    await assertWhole(scene);
    const [attempt] = await scene.store.readAttempts('resp_a');
    assert.deepEqual(
      attempt?.reattachments?.map(({ reason }) => reason),
      ['worker_shutdown'],
    );
  });

  const cannot: Readonly<
    Record<string, { readonly reattaches?: boolean; readonly prepare?: (scene: Awaited<ReturnType<typeof keptScene>>) => void }>
  > = {
    'the provider has it no more': { prepare: (scene) => scene.answers.forget() },
    'the provider says something else': {
      prepare: (scene) => {
        const { reply } = scene.answers;
        const other = (script: Script): Script => JSON.parse(JSON.stringify(script).replaceAll('two ', 'too ')) as Script;
        Object.assign(scene.answers, { reply: (request: Parameters<typeof reply>[0]) => other(reply(request)) });
      },
    },
    'its own configuration does not ask for it': { reattaches: false },
  };
  for (const [name, { reattaches = true, prepare }] of Object.entries(cannot)) {
    test(`T2 · where ${name}, the law stands: worker_lost, with all that was shown`, async () => {
      await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])] });
      scene.step(1, scene.frozen()).catch(() => undefined);
      await scene.shown('two ');
      scene.expireLeases();
      prepare?.(scene);
      const next = scene.process({ reattaches });
      assert.deepEqual(await scene.step(1, next), { type: 'final', turn: { status: 'failed', code: 'worker_lost' } });
      const { output } = await scene.response();
      assert.deepEqual(
        output.map(({ type, status }) => [type, status]),
        [
          ['reasoning', 'completed'],
          ['message', 'incomplete'],
        ],
      );
      assert.match(JSON.stringify(output), /One two /);
      assert.equal(scene.requests().filter((request) => request === 'POST ').length, 1);
      assert.deepEqual(scene.errors, []);
    });
  }

  test('T5 · a cancel that is accepted while nobody reads: the turn is cancelled, and whoever ends it stops the answer', async () => {
    await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('two ');
    scene.expireLeases();
    await scene.store.requestCancel('default', 'resp_a', Date.now());
    assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'cancelled', code: null } });
    await until(async () => scene.answers.cancelled.length === 1);
    assert.deepEqual(scene.answers.cancelled, ['resp_p']);
  });

  test('T5 · a cancel that comes before all is read again ends the turn as the journal has it', async () => {
    await using scene = await keptScene({
      answers: [
        answerOf([
          { before: 13, by: [stall] },
          { before: 5, by: [stall] },
        ]),
      ],
    });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('two ');
    scene.expireLeases();
    const process = scene.process();
    const next = scene.step(1, process);
    await until(async () => scene.requests().length === 2);
    await until(async () => process.attempts.get('resp_a') !== undefined);
    process.attempts.get('resp_a')?.abort('cancelled');
    assert.deepEqual(await next, { type: 'final', turn: { status: 'cancelled', code: null } });
    assert.match(JSON.stringify((await scene.response()).output), /One two /);
    await until(async () => scene.answers.cancelled.length === 1);
  });

  test('the calls of an agent that were not shown yet are found again, and carried out once', async () => {
    const weather = tool('weather', async () => 'mild');
    const first = new ResponsesWriter({ id: 'resp_p1' });
    const second = new ResponsesWriter({ id: 'resp_p2' });
    const steps = [
      ...first.begin(),
      ...first.text('Let me ', 'look.'),
      ...first.functionCall('c1', 'weather', '{"city":', '"Graz"}'),
      ...first.completed(),
    ];
    const answers = [
      // The call has begun, and nothing of it is in the journal.
      { steps, breaks: [{ before: steps.length - 3, by: [hold('c1'), stall] }] },
      { steps: [...second.begin(), ...second.text('It is ', 'mild.'), ...second.completed()], breaks: [{ before: 5, by: [stall] }] },
    ];
    await using scene = await keptScene({ answers, tools: [weather] });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await scene.shown('look.');
    await scene.model.reached('c1');
    scene.expireLeases();
    assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
    scene.step(2, scene.frozen()).catch(() => undefined);
    await scene.shown('It is ');
    scene.expireLeases();
    assert.deepEqual(await scene.step(2), completed);
    assert.deepEqual(weather.calls, [{ city: 'Graz' }]);
    const { output } = await scene.response();
    assert.deepEqual(
      output.map(({ type, status }) => [type, status]),
      [
        ['message', 'completed'],
        ['mcp_call', 'completed'],
        ['message', 'completed'],
      ],
    );
    assert.equal(scene.requests().filter((request) => request === 'POST ').length, 2);
    assert.deepEqual(scene.errors, []);
  });

  test('T5 · one that finds nothing left of the budget stops the answer, which it does not read', async () => {
    const budget = { turn: { outputTokens: 50 }, session: {} };
    await using scene = await keptScene({ answers: [answerOf([{ before: 13, by: [stall] }])], settings: { budget } });
    const leaving = scene.process();
    const left = scene.step(1, leaving);
    await scene.shown('two ');
    await Promise.all([leaving.attempts.drain(0), assert.rejects(left, { type: 'worker_lost' })]);
    // Others of its session have used it up.
    const spent = { ...nothingSpent, outputTokens: 99 };
    const readSpending = async () => ({ turn: spent, caller: spent, session: spent });
    const ended = await scene.step(1, scene.process({ calls: { readSpending } }));
    assert.deepEqual(ended, { type: 'final', turn: { status: 'failed', code: 'budget_exceeded' } });
    await until(async () => scene.answers.cancelled.length === 1);
    assert.deepEqual(scene.requests(), ['POST ', 'POST /resp_p/cancel']);
  });

  test('T2 · T9 · one that shuts down before it has read anything passes the answer on, and nothing is asked again', async () => {
    const budget = { turn: { outputTokens: 5_000 }, session: {} };
    await using scene = await keptScene({ answers: [answerOf([{ before: 2, by: [stall] }])], settings: { budget } });
    scene.step(1, scene.frozen()).catch(() => undefined);
    await until(async () => (await scene.store.readAttempts('resp_a'))[0]?.keptResponse !== undefined);
    scene.expireLeases();
    const isBusy = Promise.withResolvers<void>();
    const readSpending = async () => {
      isBusy.resolve();
      throw new StoreBusyError('busy');
    };
    const leaving = scene.process({ calls: { readSpending } });
    const left = scene.step(1, leaving);
    await isBusy.promise;
    await Promise.all([leaving.attempts.drain(0), assert.rejects(left, { nonRetryable: false })]);
    assert.deepEqual(await scene.step(1), completed);
    assert.deepEqual(scene.requests(), ['POST ', 'GET /resp_p?stream=true']);
    assert.equal((await scene.store.readAttempts('resp_a')).length, 1);
    await assertWhole(scene);
  });

  test('T7 · T9 · a call that waits for the end of a message is not shown before its place by a worker that shuts down', async () => {
    const text = { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0 };
    const said = { type: 'output_text', text: 'One two more', annotations: [] };
    const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] };
    const call = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'note', arguments: '', status: 'in_progress' };
    const output = [
      { ...message, status: 'completed', content: [said] },
      { ...call, status: 'completed', arguments: '{}' },
    ];
    const events: readonly object[] = [
      { type: 'response.created', response: { id: 'resp_p', status: 'in_progress', output: [] } },
      { type: 'response.output_item.added', output_index: 0, item: message },
      { ...text, delta: 'One ' },
      { type: 'response.output_item.added', output_index: 1, item: call },
      { ...text, delta: 'two ' },
      { ...text, delta: 'more' },
      { type: 'response.output_item.done', output_index: 0, item: output[0] },
      { type: 'response.output_item.done', output_index: 1, item: output[1] },
      { type: 'response.completed', response: { id: 'resp_p', status: 'completed', output } },
    ];
    const steps = events.map((data, number) => event({ ...data, sequence_number: number }));
    await using scene = await keptScene({ answers: [{ steps, breaks: [{ before: 5, by: [stall] }] }] });
    const leaving = scene.process();
    const left = scene.step(1, leaving);
    // The call has begun before that.
    await scene.shown('One two ');
    await Promise.all([leaving.attempts.drain(0), assert.rejects(left, { type: 'worker_lost', nonRetryable: false })]);
    assert.deepEqual(await scene.step(1), completed);
    assert.deepEqual(
      (await scene.response()).output.map(({ type, status }) => [type, status]),
      [
        ['message', 'completed'],
        ['function_call', 'completed'],
      ],
    );
    assert.deepEqual(scene.errors, []);
  });

  test('a request for an approval comes with the end of its step: a worker that dies before that has shown none', async () => {
    const pay = tool('pay', async () => 'paid', { needsApproval: () => true });
    const look = tool('look', async () => 'seen');
    const writer = new ResponsesWriter({ id: 'resp_p' });
    const steps = [
      ...writer.begin(),
      ...writer.text('Let me ', 'see.'),
      ...writer.functionCall('c1', 'look', '{}'),
      ...writer.functionCall('c2', 'pay', '{}'),
      ...writer.completed(),
    ];
    await using scene = await keptScene({ answers: [{ steps }], tools: [pay, look] });
    const [isEnding, isOver] = [Promise.withResolvers<void>(), Promise.withResolvers<'refused'>()];
    const endStep = async (): Promise<'refused'> => {
      isEnding.resolve();
      return isOver.promise;
    };
    scene.step(1, scene.process({ calls: { endStep, beat: () => new Promise(() => undefined) } })).catch(() => undefined);
    await isEnding.promise;
    scene.expireLeases();
    assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
    assert.deepEqual(
      (await scene.response()).output.map(({ type }) => type),
      ['message', 'mcp_approval_request', 'mcp_call'],
    );
    isOver.resolve('refused');
    assert.deepEqual(scene.errors, []);
  });

  test('a call of a worker whose arguments are no JSON goes back to the model, also where the answer is kept and read again', async () => {
    const look = tool('look', async () => 'seen');
    const answer = (...breaks: NonNullable<KeptAnswer['breaks']>): KeptAnswer => {
      const writer = new ResponsesWriter({ id: 'resp_p' });
      return {
        steps: [
          ...writer.begin(),
          ...writer.text('Let me ', 'see.'),
          ...writer.functionCall('c1', 'look', '{"a": one}'),
          ...writer.completed(),
        ],
        breaks,
      };
    };
    for (const breaks of [[], [{ before: 6, by: [stall] }]]) {
      await using scene = await keptScene({ answers: [answer(...breaks)], tools: [look] });
      if (breaks.length > 0) {
        scene.step(1, scene.frozen()).catch(() => undefined);
        await scene.shown('see.');
        scene.expireLeases();
      }
      assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
      assert.deepEqual(
        (await scene.store.readToolCalls('resp_a')).map(({ name, arguments: args }) => [name, args]),
        [['look', '{"a": one}']],
      );
    }
  });
});

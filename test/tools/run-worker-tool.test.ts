import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWorkerTool } from '../../src/tools/run-worker-tool.ts';
import { failure, localTool, output, toolContext } from '../support/tool-calls.ts';

const untouchable = localTool(async () => assert.fail('it was run'));

for (const [text, message] of [
  ['', /^The arguments are not valid JSON: Unexpected end of JSON input$/],
  ['{"a": 1', /^The arguments are not valid JSON: /],
  ['{a: 1}', /^The arguments are not valid JSON: /],
  ['{"a": 1}}', /^The arguments are not valid JSON: /],
  ['{"a": x😀', /^The arguments are not valid JSON: .*x\u{1f600}/u],
  ['null', /^The arguments have to be a JSON object, not null\.$/],
  ['[1]', /^The arguments have to be a JSON object, not an array\.$/],
  ['"{}"', /^The arguments have to be a JSON object, not a string\.$/],
] as const) {
  test(`arguments that are no JSON object are not repaired, and the model is told why: ${text}`, async () => {
    const result = await runWorkerTool(untouchable, text, toolContext());
    assert.equal(result.type, 'error');
    assert.match(result.type === 'error' ? result.message : '', message);
  });
}

test('what is quoted of the arguments has no half of a character', async () => {
  for (const text of [`{"a": ${'😀'.repeat(30)}`, `{"${'😀'.repeat(30)}": x ${'😀'.repeat(30)}`]) {
    for (const shift of ['', ' ']) {
      const result = await runWorkerTool(untouchable, `${shift}${text}`, toolContext());
      assert.ok(result.type === 'error' && result.message.isWellFormed(), JSON.stringify(result));
    }
  }
});

test('arguments that do not fit never reach the tool; those that fit reach it as they are', async () => {
  const check = (args: object): string | undefined => ('path' in args ? undefined : 'path is missing');
  assert.deepEqual(
    await runWorkerTool({ ...untouchable, check }, { pth: 'x' }, toolContext()),
    failure("The arguments do not fit the tool's schema: path is missing."),
  );
  const echo = localTool(async (args) => output(JSON.stringify(args)), { check });
  assert.deepEqual(await runWorkerTool(echo, '{"path":"1","more":[1]}', toolContext()), output('{"path":"1","more":[1]}'));
});

test('T11 · a check that throws is told to the model in constant words: what it throws may quote the arguments', async () => {
  const check = (args: object): never => {
    throw new Error(`cannot read ${JSON.stringify(args)}`);
  };
  assert.deepEqual(
    await runWorkerTool({ ...untouchable, check }, { secret: 'sesame' }, toolContext()),
    failure("The arguments could not be checked against the tool's schema."),
  );
});

test('what a tool throws is an error for the model, of a bounded length', async () => {
  const thrower = (error: unknown) =>
    localTool(async () => {
      throw error;
    });
  const run = async (error: unknown) => runWorkerTool(thrower(error), {}, toolContext());
  assert.deepEqual(await run(new Error('no such row')), failure('no such row'));
  assert.deepEqual(await run('as a string'), failure('as a string'));
  assert.deepEqual(await run(new Error('')), failure('The tool failed and gave no reason.'));
  assert.deepEqual(await run(new Error(`${'x'.repeat(1_999)}😀`)), failure(`${'x'.repeat(1_999)}…`));
  const beforeItsFirstWait = localTool(() => {
    throw new Error('at once');
  });
  assert.deepEqual(await runWorkerTool(beforeItsFirstWait, {}, toolContext()), failure('at once'));
});

test('a tool whose time is up is no longer listened to: its signal aborts, and the model is told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const started = Promise.withResolvers<AbortSignal>();
  const finish = Promise.withResolvers<never>();
  const deaf = localTool(
    async (_, { signal }) => {
      started.resolve(signal);
      return finish.promise;
    },
    { timeoutMs: 1_500 },
  );
  const running = runWorkerTool(deaf, {}, toolContext());
  const signal = await started.promise;
  t.mock.timers.tick(1_499);
  assert.equal(signal.aborted, false);
  t.mock.timers.tick(1);
  assert.equal(signal.aborted, true);
  assert.deepEqual(await running, failure('timed out after 1.5 s'));
  // Too late: nobody hears it, and nothing complains.
  finish.reject(new Error('late'));
});

test('T9 · an abort from outside is not told as an error of the tool: its reason is thrown on, even for a tool that does not listen', async () => {
  const reason = new Error('the worker goes');
  for (const run of [
    async () => new Promise<never>(() => {}),
    async (_: unknown, { signal }: { readonly signal: AbortSignal }) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('something of its own'));
        });
      }),
  ]) {
    const context = toolContext();
    const running = runWorkerTool(localTool(run), {}, context);
    context.controller.abort(reason);
    await assert.rejects(running, reason);
  }
  const late = toolContext();
  late.controller.abort(reason);
  await assert.rejects(runWorkerTool(untouchable, {}, late), reason);
});

test('a tool is told of an abort by its own signal, with the reason', async () => {
  const context = toolContext();
  const heard = Promise.withResolvers<unknown>();
  const tool = localTool(async (_, { signal }) => {
    signal.addEventListener('abort', () => {
      heard.resolve(signal.reason);
    });
    return new Promise<never>(() => {});
  });
  const running = runWorkerTool(tool, {}, context);
  context.controller.abort('cancelled');
  await assert.rejects(running, (error) => error === 'cancelled');
  assert.equal(await heard.promise, 'cancelled');
});

/** A server that dies, hangs, floods and lies costs its own calls, and nobody else. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { runWorkerTool } from '../../src/tools/run-worker-tool.ts';
import { createToolBox } from '../../src/tools/tool-box.ts';
import { restartDelayMs, ServerClient } from '../../src/tools/mcp/server-client.ts';
import { maxMessageBytes } from '../../src/tools/mcp/message-lines.ts';
import { gone, type HeldBox, isRunning, misbehavingProgram, nodeServer, toolBox, workerProgram } from '../support/mcp.ts';
import { agentScene, called, tool } from '../activities/agent-scene.ts';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { Slots } from '../../src/tools/mcp/slots.ts';
import { failure, output, runWithRoom, toolContext } from '../support/tool-calls.ts';
import { until } from '../support/until.ts';
import { within } from '../support/within.ts';

const secret = 'sk-very-secret-0123456789';

function bad(t: TestContext, ...flags: readonly string[]): HeldBox {
  const box = toolBox([nodeServer('bad', [misbehavingProgram, ...flags], { SECRET: secret })]);
  t.after(async () => box[Symbol.asyncDispose]());
  return box;
}

async function pidOf(box: HeldBox): Promise<number> {
  const result = await box.call('bad', 'pid');
  assert.equal(result.type, 'output');
  return Number(result.type === 'output' ? result.text : 0);
}

test('a server that dies in the middle of calls ends them all with its name; the next call starts it anew', async (t) => {
  const box = bad(t);
  const first = await pidOf(box);
  const hanging = toolContext();
  const hang = box.call('bad', 'hang', {}, hanging);
  await hanging.progressed;
  const die = box.call('bad', 'die');
  assert.deepEqual(await Promise.all([hang, die]), [
    failure('the server "bad" ended by SIGKILL'),
    failure('the server "bad" ended by SIGKILL'),
  ]);
  const second = await pidOf(box);
  assert.notEqual(second, first);
  assert.equal(isRunning(first), false);
  assert.deepEqual(await box.call('bad', 'leave'), failure('the server "bad" ended with code 7'));
  assert.notEqual(await pidOf(box), second);
});

test('a server that is killed from outside in the middle of a call is the same', async (t) => {
  const box = bad(t);
  const pid = await pidOf(box);
  const context = toolContext();
  const running = box.call('bad', 'hang', {}, context);
  await context.progressed;
  process.kill(pid, 'SIGKILL');
  assert.deepEqual(await running, failure('the server "bad" ended by SIGKILL'));
  assert.notEqual(await pidOf(box), pid);
});

test('the first start anew is at once, then each waits twice as long; a call that is answered ends that', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 7, 8, 9, 2_000].map(restartDelayMs), [0, 0, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
});

test('a server that dies again and again is not started with every call', async (t) => {
  const box = bad(t);
  // Taken once: to ask for the list would start the server too.
  const die = await box.tool('bad', 'die');
  const pid = await box.tool('bad', 'pid');
  const run = async (tool: typeof die) => tool.run({}, toolContext());
  const ended = /^the server "bad" ended by SIGKILL$/;
  await assert.rejects(run(die), { message: ended });
  await assert.rejects(run(die), { message: ended });
  // Its second end: for a second it is not started, and the call says why.
  await assert.rejects(run(pid), { message: ended });
  assert.deepEqual(await box.list('bad'), { serverLabel: 'bad', tools: [], error: 'the server "bad" ended by SIGKILL' });
  box.clock.nowMs += 1_000;
  assert.equal((await run(pid)).type, 'output');
  // And so the count begins anew.
  await assert.rejects(run(die), { message: ended });
  assert.equal((await run(pid)).type, 'output');
});

test('a server that cannot be started is an error of its list, in words; its secrets are not among them', async (t) => {
  const box = toolBox([
    nodeServer('bad', [misbehavingProgram, '--refuses'], { SECRET: secret }),
    { ...nodeServer('none', []), command: 'no-such-program' },
  ]);
  t.after(async () => box[Symbol.asyncDispose]());
  assert.deepEqual(await box.list('bad'), {
    serverLabel: 'bad',
    tools: [],
    error: 'the server "bad" could not be started: it ended with code 3; its last words: no luck with [redacted]',
  });
  assert.deepEqual(await box.list('none'), {
    serverLabel: 'none',
    tools: [],
    error: 'the server "none" could not be started: spawn no-such-program ENOENT',
  });
  assert.equal(box.log.length, 2);
  assert.doesNotMatch(box.log.join('\n'), new RegExp(secret));
});

test('T11 · what a server was configured with is in no error, whoever tells it', async (t) => {
  const box = bad(t);
  assert.deepEqual(await box.call('bad', 'secret'), failure('refused: [redacted]'));
  assert.deepEqual(await box.call('bad', 'failing'), failure('failed with [redacted]'));
});

test('T5 · a cancel is told to the server, without the reason; an answer that comes later is dropped', async (t) => {
  const box = bad(t);
  const context = toolContext();
  const running = box.call('bad', 'late', {}, context);
  await context.progressed;
  const reason = new Error('secret words');
  context.controller.abort(reason);
  await assert.rejects(running, reason);
  const told = await box.call('bad', 'cancellations');
  assert.match(told.type === 'output' ? told.text : '', /^\[\{"id":\d+,"reason":"The request was cancelled\."\}\]$/);
});

test('a server that ignores a cancel, or hangs, holds up nobody: its call ends with its time', async (t) => {
  const box = bad(t);
  const hang = { ...(await box.tool('bad', 'hang')), timeoutMs: 20 };
  assert.deepEqual(await runWorkerTool(hang, {}, toolContext()), failure('timed out after 0.02 s'));
  assert.equal((await box.call('bad', 'pid')).type, 'output');
});

test('a server that answers nothing at all: who asks for its list can go, and nothing is left of it', async () => {
  const box = createToolBox({
    tools: [],
    mcpServers: [nodeServer('silent', [misbehavingProgram, '--silent'])],
    log: { info: () => {}, warn: () => {} },
  });
  const controller = new AbortController();
  const asked = box.listsOf(['mcp:silent'], controller.signal);
  controller.abort(new Error('gone'));
  await assert.rejects(asked, /^Error: gone$/);
  await box[Symbol.asyncDispose]();
});

test('T14 · a flood on both of its outputs is read and dropped', async (t) => {
  assert.deepEqual(await bad(t).call('bad', 'flood', { bytes: 5_000_000 }), output('after the flood'));
});

test('T14 · an answer of 10 MB is refused for its call alone; one of 2 MB is whole', async (t) => {
  const box = bad(t);
  const pid = await pidOf(box);
  assert.deepEqual(await box.call('bad', 'big', { bytes: 10_000_000 }), failure(`the answer is longer than ${maxMessageBytes} bytes`));
  assert.deepEqual(await box.call('bad', 'big', { bytes: 2_000_000 }), output('x'.repeat(2_000_000)));
  assert.equal(await pidOf(box), pid);
});

test('T14 · an error of a tool is as long as its result may be', async (t) => {
  const result = await bad(t).call('bad', 'failing', { bytes: 100_000 });
  assert.deepEqual(result, failure(`failed with [redacted]${'x'.repeat(100_000)}`));
});

test('T14 · a line without an end, of which nobody knows whose it is, ends the server', async (t) => {
  const box = bad(t);
  assert.deepEqual(
    await box.call('bad', 'huge-line', { bytes: 10_000_000 }),
    failure(`the server "bad" ended: it wrote a line of more than ${maxMessageBytes} bytes`),
  );
  assert.equal((await box.call('bad', 'pid')).type, 'output');
});

test('T14 · what a server does not read is not piled up: further calls fail', async (t) => {
  const box = bad(t, '--full');
  const pid = await box.tool('bad', 'pid');
  const contexts = Array.from({ length: 8 }, toolContext);
  const running = contexts.map(async (context) =>
    pid.run({ filler: 'x'.repeat(1_000_000) }, context).catch((error: unknown) => String(error)),
  );
  assert.equal(await running[7], 'McpServerError: the server "bad": it does not read what it is sent');
  for (const { controller } of contexts) controller.abort(new Error('enough'));
  assert.deepEqual(
    (await Promise.all(running)).slice(0, 4),
    Array.from({ length: 4 }, () => 'Error: enough'),
  );
});

test('T14 · sixteen calls of a server run at once for one tenant, the next one waits for its turn', async (t) => {
  const box = bad(t);
  const hold = await box.tool('bad', 'hold');
  const contexts = Array.from({ length: 15 }, () => toolContext());
  const running = contexts.map(async (context) => runWithRoom(hold, { count: 16 }, context));
  await Promise.all(contexts.map(async ({ progressed }) => progressed));
  const [last, next] = [toolContext(), toolContext()];
  // Both at once: the second would be answered with the first if it were sent.
  const sixteenth = runWithRoom(hold, { count: 16 }, last);
  const seventeenth = runWithRoom(hold, { count: 1 }, next);
  assert.deepEqual(
    await Promise.all([...running, sixteenth]),
    Array.from({ length: 16 }, () => output('16 at once')),
  );
  assert.deepEqual(await seventeenth, output('1 at once'));
});

test('a call that waits for its turn can be cancelled there', async (t) => {
  const box = bad(t);
  const hang = await box.tool('bad', 'hang');
  const contexts = Array.from({ length: 16 }, () => toolContext());
  const running = contexts.map(async (context) => assert.rejects(runWithRoom(hang, {}, context), /^Error: enough$/));
  await Promise.all(contexts.map(async ({ progressed }) => progressed));
  const waiting = toolContext();
  const waited = assert.rejects(runWithRoom(hang, {}, waiting), /^Error: enough$/);
  waiting.controller.abort(new Error('enough'));
  await waited;
  for (const { controller } of contexts) controller.abort(new Error('enough'));
  await Promise.all(running);
  assert.equal((await box.call('bad', 'pid')).type, 'output');
});

test("T14 · a tenant's calls that hang leave room to the calls of others", async (t) => {
  const box = bad(t);
  const hang = await box.tool('bad', 'hang');
  // Twice as many as it may have.
  const contexts = Array.from({ length: 32 }, () => toolContext('one'));
  const running = contexts.map(async (context) => assert.rejects(runWithRoom(hang, {}, context), /^Error: enough$/));
  await Promise.all(contexts.slice(0, 16).map(async ({ progressed }) => progressed));
  const pid = await box.tool('bad', 'pid');
  assert.equal((await runWithRoom(pid, {}, toolContext('two'))).type, 'output');
  for (const { controller } of contexts) controller.abort(new Error('enough'));
  await Promise.all(running);
});

test('T14 · whoever has the fewest is next, and nobody overtakes one of its own', async () => {
  const slots = new Slots(6);
  const { signal } = new AbortController();
  const order: string[] = [];
  const take = async (name: string): Promise<() => void> => {
    const leave = await slots.take(name.slice(0, 1), signal);
    order.push(name);
    return leave;
  };
  const [a1, a2] = await Promise.all([take('a1'), take('a2'), take('a3')]);
  const [a4, a5] = [take('a4'), take('a5')];
  const [b1] = await Promise.all([take('b1'), take('b2')]);
  const b3 = take('b3');
  assert.deepEqual(order, ['a1', 'a2', 'a3', 'b1', 'b2'], 'one alone has half of them, and the second finds some');
  a1();
  // Given back twice is given back once.
  a1();
  a2();
  await a4;
  b1();
  await b3;
  assert.deepEqual(order.slice(5), ['a4', 'b3'], 'a5 had waited longer, and its tenant has more');
  (await b3)();
  (await a4)();
  await a5;
});

test("a tool's time does not pass while its call waits for room, and one that never had any has not begun", async () => {
  const events: string[] = [];
  const room = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  const held = tool('held', async () => {
    events.push('run');
    return 'done';
  });
  const roomy = {
    ...held,
    timeoutMs: 1,
    room: async () => {
      waiting.resolve();
      await room.promise;
      return () => void events.push('left');
    },
  };
  await using scene = await agentScene({
    tools: [roomy],
    scripts: [called({ id: 'c1', name: 'held', arguments: '{}' }), chatAnswer('Done.')],
  });
  await scene.step(1);
  const second = scene.step(2);
  await waiting.promise;
  const [call] = await scene.store.readToolCalls('resp_a', 2);
  assert.deepEqual([call?.runs, call?.startedAtMs], [0, undefined], 'whoever takes the turn over may run it');
  room.resolve();
  await second;
  assert.deepEqual(events, ['run', 'left']);
  const { output } = await scene.response();
  assert.equal((output[0] as { output?: unknown }).output, 'done');
});

test('a list is asked for once, and again when the server says that it changed, when it is old, and after a start anew', async (t) => {
  const box = bad(t);
  const lists = async (): Promise<string> => {
    const result = await box.call('bad', 'lists');
    return result.type === 'output' ? result.text : result.message;
  };
  assert.equal(await lists(), '1');
  const [one, two] = await Promise.all([box.list('bad'), box.list('bad')]);
  assert.equal(one.tools, two.tools);
  assert.equal(await lists(), '1');
  assert.ok(!one.tools.some(({ name }) => name === 'added'));
  await box.call('bad', 'change');
  assert.ok((await box.list('bad')).tools.some(({ name }) => name === 'added'));
  assert.equal(await lists(), '2');
  box.clock.nowMs += 299_999;
  assert.equal(await lists(), '2');
  box.clock.nowMs += 1;
  assert.equal(await lists(), '3');
  await box.call('bad', 'die');
  assert.ok(!(await box.list('bad')).tools.some(({ name }) => name === 'added'));
  assert.equal(await lists(), '1');
});

test('a list is read page by page, and not without an end', async (t) => {
  const { tools } = await bad(t, '--pages=3').list('bad');
  assert.deepEqual(
    tools.map(({ name }) => name).filter((name) => name.startsWith('page')),
    ['page-1', 'page-2', 'page-3'],
  );
  const endless = await bad(t, '--endless').list('bad');
  assert.equal(endless.tools.filter(({ name }) => name.startsWith('page')).length, 49);
});

test('a list that does not come is given up: the one before is used, where there is one', async () => {
  const clock = { nowMs: 0 };
  const log = { info: () => {}, warn: () => {} };
  // The list that comes may take its time.
  const options = { log, version: '0', now: () => clock.nowMs, listTimeoutMs: 60_000 };
  const { signal } = new AbortController();
  const clientOf = (flag: string) => new ServerClient(nodeServer('bad', [misbehavingProgram, flag]), ({ name }) => name, options);
  await using once = clientOf('--one-list');
  const before = await once.tools(signal);
  assert.ok(before.includes('pid'));
  clock.nowMs += 300_000;
  options.listTimeoutMs = 100;
  assert.equal(await once.tools(signal), before);
  // Nobody else waits for it: it is asked for beside the turns, and not with each of them.
  assert.equal(await once.tools(signal), before);
  await using never = clientOf('--no-list');
  const late = { message: 'the server "bad" did not list its tools in time' };
  await assert.rejects(never.tools(signal), late);
  // Asked for again, beside it: the client is closed before that is given up.
  clock.nowMs += 30_000;
  await assert.rejects(never.tools(signal), late);
});

test('a list that came in the end, behind one that did not, is used from then on', async () => {
  const clock = { nowMs: 0 };
  const log = { info: () => {}, warn: () => {} };
  const options = { log, version: '0', now: () => clock.nowMs, listTimeoutMs: 1_000 };
  const { signal } = new AbortController();
  await using client = new ServerClient(nodeServer('bad', [misbehavingProgram, '--no-first-list']), ({ name }) => name, options);
  await assert.rejects(client.tools(signal), { message: /in time/ });
  await assert.rejects(client.tools(signal), { message: /in time/ });
  clock.nowMs += 30_000;
  await until(async () => (await client.tools(signal).catch((): readonly string[] => [])).includes('pid'));
});

test('a server without tools has an empty list', async (t) => {
  assert.deepEqual(await bad(t, '--no-tools').list('bad'), { serverLabel: 'bad', tools: [] });
});

test('a disposed tool box has left nothing: neither a server that is deaf to all, nor what that has started', async () => {
  const box = toolBox([nodeServer('bad', [misbehavingProgram, '--deaf'])]);
  const server = await pidOf(box);
  const child = await box.call('bad', 'child');
  const grandchild = Number(child.type === 'output' ? child.text : 0);
  assert.ok(isRunning(server) && isRunning(grandchild));
  const context = toolContext();
  const running = box.call('bad', 'hang', {}, context);
  await context.progressed;
  await box[Symbol.asyncDispose]();
  assert.equal(isRunning(server), false);
  await gone(grandchild);
  assert.deepEqual(await running, failure('the server "bad" is being closed'));
  assert.deepEqual(await box.list('bad').then(({ error }) => error), 'the server "bad" is being closed');
});

test('what a server has started goes with it when it dies by itself', async (t) => {
  const box = bad(t);
  const child = await box.call('bad', 'child');
  await box.call('bad', 'die');
  await gone(Number(child.type === 'output' ? child.text : 0));
});

test('T9 · a worker that is killed leaves no server behind, not even a deaf one', async (t) => {
  const worker: ChildProcess = spawn(process.execPath, [workerProgram], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => worker.kill('SIGKILL'));
  assert.ok(worker.stdout);
  const [line] = (await within('the pid of its server', once(createInterface({ input: worker.stdout }), 'line'))) as [string];
  const pid = Number(line);
  assert.ok(isRunning(pid));
  worker.kill('SIGKILL');
  await gone(pid);
});

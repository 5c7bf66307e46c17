/** `turnkeep debug`: the states of a turn, and a debugger that stops in the TypeScript of its workflow. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import type { EventReport } from '../../src/history/debug/state-report.ts';
import { chat, chatToolCalls, end, hold, httpError, sseHead } from '../../src/testing/model-server/index.ts';
import { call, helper } from '../stories/agent-story.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { World } from '../support/world.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const root = join(import.meta.dirname, '../..');
let world: World;
/** Its first request finds the provider busy, its second one ends with a call of a tool, and its third is cancelled. */
let turn: string;
let bundle: object;

before(async () => {
  world = await World.open({ agents: () => new ToolBench('').config, config: { hasHeadStart: false } });
  world.model.enqueue(
    httpError(429, undefined, { 'retry-after': '0.2' }),
    chatToolCalls(call('c1', 'echo', 'one')),
    [sseHead, chat.role(), chat.content('It'), hold('for ever'), end],
  );
  const viewer = await world.say('go', helper);
  await world.model.reached('for ever');
  await world.call('POST', `/responses/${viewer.id}/cancel`);
  await viewer.ended;
  turn = viewer.id;
  await world.history(turn);
  ({ body: bundle } = await world.call('GET', `/turns/${turn}/export`));
});

after(async () => world[Symbol.asyncDispose]());

test('the states of a turn with a retry, a round of tools and a cancel are printed with their events', async () => {
  const { code, stdout, stderr } = await turnkeep('debug', turn, '--print', '--url', `${world.url}/v1`);
  assert.deepEqual([code, stderr], [0, '']);
  const [first = '', ...lines] = stdout.split('\n');
  assert.match(first, new RegExp(`^${turn}, run [0-9a-f-]{36}$`));
  const words = lines.map((line) => line.trim()).filter((line) => /^(before|result|state|asks|after) /.test(line));
  assert.deepEqual(
    words.map((line) => line.replace(/ +/g, ' ').replace(/ \(between the events \d+ and \d+\)/, '')),
    [
      'before nothing: the code begins',
      'state ready for step 1, 0 requests made',
      'asks streamModel for step 1, 3 requests left',
      'after ready for step 1, 0 requests made',

      'before ready for step 1, 0 requests made',
      'result busy: provider_busy after 1 request',
      'state waiting 200 ms in step 1, 1 request made',
      'asks a timer of 200 ms',
      'after waiting 200 ms in step 1, 1 request made',

      'before waiting 200 ms in step 1, 1 request made',
      'result the timer fired',
      'state ready for step 1, 1 request made',
      'asks streamModel for step 1, 2 requests left',
      'after ready for step 1, 1 request made',

      'before ready for step 1, 1 request made',
      'result the step ended with calls of tools',
      'state ready for step 2, 0 requests made',
      'asks streamModel for step 2, 3 requests left',
      'after ready for step 2, 0 requests made',

      'before ready for step 2, 0 requests made',
      'result the step was the last: cancelled',
      'state settled as cancelled',
      'asks nothing more: the workflow ends with cancelled',
      'after settled as cancelled',
    ],
    stdout,
  );
});

test('a file is enough: each event with the state before and after it, as JSON', async (t) => {
  const file = join(folderOf(t), 'colleague.turn.json');
  writeFileSync(file, JSON.stringify(bundle));
  const { code, stdout, stderr } = await turnkeep('debug', file, '--print', '--json', '--at', '2');
  assert.deepEqual([code, stderr], [0, '']);
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as EventReport);
  const { events = [] } = await world.history(turn);
  assert.deepEqual(
    reports.map(({ event }) => event.id),
    (events ?? []).map((_event, index) => index + 1),
  );
  assert.deepEqual([reports[0]?.before, reports.at(-1)?.after], [null, { phase: 'settled', status: 'cancelled', code: null }]);
  for (const [index, { before, event, computed }] of reports.entries()) {
    if (index > 0) assert.deepEqual(before, reports[index - 1]?.after, `before event ${event.id}`);
    for (const { between } of computed) assert.deepEqual([event.type, between], ['workflow task started', [event.id, event.id + 1]]);
  }
});

test('what cannot be debugged is said in a line', async (t) => {
  const file = join(folderOf(t), 'odd.turn.json');
  const words = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await turnkeep('debug', ...args);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.match(await words(file, '--print'), /odd\.turn\.json/);
  writeFileSync(file, JSON.stringify({ ...bundle, temporal: { missing: 'Temporal has dropped it' } }));
  assert.match(await words(file, '--print'), new RegExp(`^turnkeep: ${turn} cannot be replayed: Temporal has dropped it\n$`));
  writeFileSync(file, JSON.stringify(bundle));
  assert.match(await words(file, '--print', '--at', '7'), /^turnkeep: --at 7: the turn has the steps 1 to 2\.\n$/);
  assert.match(await words(file, '--inspect', 'somewhere'), /--inspect somewhere: it has to be HOST:PORT/);
  assert.match(await words(file, '--print', '--inspect', '9229'), /cannot be used with/);
});

/** A debugger, as far as it is of use here: the protocol of Node's inspector. */
class Debugger {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #events: Event[] = [];
  #last = 0;
  #wake = Promise.withResolvers<void>();
  #isClosed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Answer & Event;
      if (message.id === undefined) this.#events.push(message);
      else this.#answers.get(message.id)?.(message);
      this.#wake.resolve();
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake.resolve();
    });
  }

  static async attach(url: string): Promise<Debugger> {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    return new Debugger(socket);
  }

  async send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const id = (this.#last += 1);
    this.#answers.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await promise;
    assert.equal(error, undefined, JSON.stringify(error));
    return result;
  }

  /** The next event of this name; those before it are passed over. */
  async next(method: string): Promise<Record<string, unknown>> {
    for (;;) {
      const event = this.#events.shift();
      if (event?.method === method) return event.params;
      if (event !== undefined) continue;
      assert.ok(!this.#isClosed, `the process has ended before ${method}`);
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }

  close(): void {
    this.#socket.close();
  }
}

interface Answer {
  readonly id?: number;
  readonly result: Record<string, unknown>;
  readonly error?: unknown;
}

interface Event {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

interface Script {
  readonly scriptId: string;
  readonly url: string;
  readonly sourceMapURL: string;
}

interface Frame {
  readonly callFrameId: string;
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number };
}

function frameOf(paused: Record<string, unknown>, name: string): Frame {
  const frames = paused['callFrames'] as readonly Frame[];
  const frame = frames.find(({ functionName }) => functionName === name);
  assert.ok(frame, JSON.stringify(frames.map(({ functionName }) => functionName)));
  return frame;
}

/** Starts the command, attaches, and lets it go on to where the workflow code is there to be looked at. */
async function debug(args: readonly string[]): Promise<{ command: ChildProcessWithoutNullStreams; client: Debugger; script: Script }> {
  const { PATH, HOME } = process.env;
  const command = spawn(process.execPath, ['bin/turnkeep.js', 'debug', ...args, '--inspect', '127.0.0.1:0'], {
    cwd: root,
    env: { PATH, HOME },
  });
  let text = '';
  const url = await new Promise<string>((resolve, reject) => {
    command.stderr.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const [, found] = /Waiting for a debugger at (ws:\S+)\n/.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    command.once('exit', () => reject(new Error(text)));
  });
  const client = await Debugger.attach(url);
  await client.send('Debugger.enable');
  // As VS Code does it: scripts with source maps wait for their breakpoints.
  await client.send('Debugger.setInstrumentationBreakpoint', { instrumentation: 'beforeScriptWithSourceMapExecution' });
  await client.send('Runtime.runIfWaitingForDebugger');
  for (;;) {
    const paused = await client.next('Debugger.paused');
    const script = paused['data'] as Script | undefined;
    if (script?.url.endsWith('turnkeep-workflows.js') === true) return { command, client, script };
    await client.send('Debugger.resume');
  }
}

/** Where a line of a source is in the generated code, both from 0. */
function generatedPlace(code: string, map: SourceMap, source: string, line: number): { lineNumber: number; columnNumber: number } {
  for (const [lineNumber, text] of code.split('\n').entries()) {
    for (let columnNumber = 0; columnNumber < Math.min(text.length, 200); columnNumber += 1) {
      const entry = map.findEntry(lineNumber, columnNumber);
      if ('originalSource' in entry && entry.originalSource.endsWith(source) && entry.originalLine === line) {
        return { lineNumber, columnNumber };
      }
    }
  }
  throw new Error(`${source}:${line + 1} is not in the code`);
}

async function mapOf(client: Debugger, { scriptId, sourceMapURL, url }: Script): Promise<{ code: string; map: SourceMap }> {
  const { scriptSource } = (await client.send('Debugger.getScriptSource', { scriptId })) as { readonly scriptSource: string };
  const encoded = sourceMapURL === '' ? readFileSync(fileURLToPath(url), 'utf8').split('base64,').at(-1) : sourceMapURL.split('base64,')[1];
  const payload = JSON.parse(Buffer.from(encoded ?? '', 'base64').toString()) as ConstructorParameters<typeof SourceMap>[0];
  return { code: scriptSource, map: new SourceMap(payload) };
}

async function ended(command: ChildProcessWithoutNullStreams, client: Debugger): Promise<readonly unknown[]> {
  client.close();
  command.stdout.resume();
  return command.exitCode === null ? once(command, 'exit') : [command.exitCode, null];
}

test('a breakpoint in a .ts file of src/workflows holds, and the state is there to be read', async (t) => {
  const file = join(folderOf(t), 'odd.turn.json');
  writeFileSync(file, JSON.stringify(bundle));
  const { command, client, script } = await debug([file]);
  t.after(() => command.kill());
  const source = 'src/workflows/run-turn.ts';
  const lines = readFileSync(join(root, source), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes("if (command.type === 'close')"));
  const { code, map } = await mapOf(client, script);
  const place = generatedPlace(code, map, source, line);
  await client.send('Debugger.setBreakpoint', { location: { scriptId: script.scriptId, ...place } });
  const states: unknown[] = [];
  for (;;) {
    await client.send('Debugger.resume');
    const paused = await client.next('Debugger.paused');
    if ((paused['hitBreakpoints'] as readonly string[]).length === 0) continue;
    const { callFrameId, location } = frameOf(paused, 'runToEnd');
    const entry = map.findEntry(location.lineNumber, location.columnNumber);
    assert.ok('originalSource' in entry && entry.originalSource.endsWith(join(root, source)), JSON.stringify(entry));
    assert.equal(entry.originalLine, line);
    const expression = 'JSON.stringify([state, command.type])';
    const { result } = (await client.send('Debugger.evaluateOnCallFrame', { callFrameId, expression })) as { result: { value: string } };
    states.push(JSON.parse(result.value));
    if (result.value.includes('"close"')) break;
  }
  assert.deepEqual(states, [
    [{ phase: 'ready', step: 1, requestsMade: 0 }, 'streamModel'],
    [{ phase: 'waiting', step: 1, requestsMade: 1, waitMs: 200 }, 'wait'],
    [{ phase: 'ready', step: 1, requestsMade: 1 }, 'streamModel'],
    [{ phase: 'ready', step: 2, requestsMade: 0 }, 'streamModel'],
    [{ phase: 'settled', status: 'cancelled', code: null }, 'close'],
  ]);
  await client.send('Debugger.resume');
  assert.deepEqual(await ended(command, client), [0, null]);
});

test('--at stops where the workflow begins to decide about the step', async (t) => {
  const { command, client } = await debug([turn, '--at', '2', '--url', `${world.url}/v1`]);
  t.after(() => command.kill());
  await client.send('Debugger.resume');
  const paused = await client.next('Debugger.paused');
  const { callFrameId } = frameOf(paused, 'runToEnd');
  const { result } = (await client.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'JSON.stringify(state)' })) as {
    readonly result: { readonly value: string };
  };
  assert.deepEqual(JSON.parse(result.value), { phase: 'ready', step: 2, requestsMade: 0 });
  await client.send('Debugger.resume');
  assert.deepEqual(await ended(command, client), [0, null], 'it stops nowhere else');
});

test('the launch configurations of the repository call what there is', () => {
  const text = readFileSync(join(root, '.vscode/launch.json'), 'utf8');
  const { configurations } = JSON.parse(text) as { readonly configurations: readonly { name: string; args?: readonly string[]; port?: number }[] };
  assert.deepEqual(
    configurations.map(({ name, args, port }) => [name, args?.[0], port]),
    [
      ['Debug a turn', 'debug', undefined],
      ['Attach to turnkeep debug', undefined, 9_229],
    ],
  );
});

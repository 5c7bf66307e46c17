/**
 * `node bench/show.ts [STEPS]`: how long `turnkeep show` takes, a process of its own, for a turn of so many steps: each a request
 * and a call of a tool. The turn stands in a database, and a gateway without Temporal serves it.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../src/client/dispatcher.ts';
import { Turnkeep } from '../src/client/turnkeep.ts';
import { createApp } from '../src/gateway/app.ts';
import { createHttpServer } from '../src/http/server.ts';
import { openSqliteStore } from '../src/store/sqlite/open-store.ts';
import type { Store } from '../src/store/ports/store.ts';
import { claimed, inserted, lease, newTurn, row, sealOf } from '../test/store/contract.ts';

const [steps = 300] = process.argv.slice(2).map(Number);
const runs = 5;
const id = 'resp_long';
const longText = 'The quick brown fox jumps over the lazy dog. '.repeat(40);

async function fill(store: Store): Promise<void> {
  const turn = newTurn(id);
  await inserted(store, turn);
  for (let step = 1; step <= steps; step += 1) {
    const seq = 3 * step;
    const { epoch } = await claimed(store, id, { step });
    const key = { turn: id, step, attempt: 1 };
    await store.append({ turn: id, epoch, rows: [row(seq)], starts: { ...key, providerRequestId: `req_${step}` } });
    const usage = {
      input_tokens: 1_000,
      output_tokens: 20,
      total_tokens: 1_020,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    };
    const now = Date.now();
    const end = {
      endedAtMs: now,
      outcome: 'completed',
      usage,
      facts: { sentAtMs: now - 3, headersAtMs: now - 2, finishedAtMs: now },
    } as const;
    const number = step - 1;
    const call = {
      number,
      position: number,
      serverLabel: 'turnkeep',
      name: 'look',
      arguments: JSON.stringify({ at: longText }),
      origin: { call_id: `call_${step}`, step },
    };
    await store.endStep({ turn: id, epoch, rows: [row(seq + 1)], attempt: { ...key, end }, calls: [call], isLast: false });
    const tools = await store.claim({ turn: id, step: step + 1, lease });
    if (tools.type !== 'tools') throw new Error(`the calls of step ${step} are not due: ${tools.type}`);
    await store.startToolCall({ turn: id, number, epoch: tools.epoch });
    const result = { outcome: 'completed', result: longText, end: { status: 'completed', output: longText } } as const;
    await store.endToolCall({ turn: id, number, epoch: tools.epoch, rows: [row(seq + 2)], ...result });
    await store.endToolRound({ turn: id, epoch: tools.epoch });
  }
  const { epoch } = await store.fence(id);
  const response = { ...(JSON.parse(turn.events[0]?.data ?? '') as { response: object }).response, status: 'completed' };
  const last = { seq: 3 + 3 * steps, type: 'response.completed', data: JSON.stringify({ type: 'response.completed', response }) } as const;
  await store.seal(sealOf(id, epoch, { rows: [last] }));
}

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-'));
const store = openSqliteStore(join(folder, 'turnkeep.db'));
await fill(store);
const { workflow: workflows } = new Client({ connection: Connection.lazy({ address: '127.0.0.1:1' }) });
const dispatcher = new Dispatcher({
  workflows,
  taskQueue: 'none',
  store,
  limits: { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 },
  isEager: false,
});
const app = createApp({
  turnkeep: new Turnkeep({ store, dispatcher }),
  version: '0.0.0',
  providerApi: 'responses',
  apiKeys: [],
  keys: store,
  requiresKey: false,
  requestsPerSecond: 0,
  maxBodyBytesAtOnce: 100_000_000,
  corsOrigins: [],
  defaultModel: undefined,
  countTokens: async () => ({ type: 'unknown' }),
  listModels: async () => ({ type: 'listed', ids: [] }),
  exportTurn: () => {
    throw new Error('nothing is exported here');
  },
  isDraining: () => false,
  unreadyReasons: async () => [],
  metrics: async () => ({ contentType: 'text/plain', text: '' }),
  onRequestEnd: () => undefined,
  onError: (error) => {
    throw error;
  },
});
const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
const server = createHttpServer((incoming, outgoing) => void listener(incoming, outgoing));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const cpuSeconds: number[] = [];

async function timed(work: () => Promise<string>): Promise<string> {
  const times: number[] = [];
  let text = '';
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    text = await work();
    times.push(performance.now() - began);
  }
  const median = times.toSorted((one, other) => one - other)[Math.floor(runs / 2)] ?? Number.NaN;
  const all = times.map((ms) => ms.toFixed(0)).join(', ');
  return `${median.toFixed(0)} ms (${all}); ${text.split('\n').length - 1} lines, ${(text.length / 1_024).toFixed(0)} KB`;
}

const show = async (...flags: string[]): Promise<string> => {
  const args = ['src/cli/main.ts', 'show', id, '--url', `${url}/v1`, ...flags];
  // The shell tells what the process itself has used, whatever else the machine does.
  const command = ['-c', 'time "$@"', 'bash', process.execPath, ...args];
  const env = { ...process.env, TIMEFORMAT: '%U %S' };
  const { stdout, stderr } = await promisify(execFile)('bash', command, {
    cwd: join(import.meta.dirname, '..'),
    maxBuffer: 100_000_000,
    env,
  });
  const [user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  cpuSeconds.push(user + system);
  return stdout;
};
console.log(`a turn of ${steps} steps`);
console.log(`the gateway's answer: ${await timed(async () => (await fetch(`${url}/turns/${id}/timeline`)).text())}`);
for (const flags of [[], ['--all'], ['--json']]) {
  cpuSeconds.length = 0;
  const times = await timed(() => show(...flags));
  console.log(`show ${flags.join(' ')}: ${times}; CPU ${cpuSeconds.map((seconds) => (seconds * 1_000).toFixed(0)).join(', ')} ms`);
}
server.closeAllConnections();
server.close();
await store.close();
rmSync(folder, { recursive: true, force: true });

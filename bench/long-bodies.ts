/**
 * `node bench/long-bodies.ts`: how long the largest requests stop a gateway (T14), by the CPU that its main thread uses between
 * two turns of the event loop: that of the machine's other work does not count. No worker, and no Temporal.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { getRequestListener } from '@hono/node-server';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../src/client/dispatcher.ts';
import { Turnkeep } from '../src/client/turnkeep.ts';
import { createApp } from '../src/gateway/app.ts';
import { createHttpServer } from '../src/http/server.ts';
import { openSqliteStore } from '../src/store/sqlite/open-store.ts';

const mebibyte = 1024 * 1024;
const item = (content: unknown): object => ({ role: 'user', content });

const bodies: { readonly [name: string]: () => string } = {
  'a short input': () => JSON.stringify({ input: 'hi' }),
  '300,000 items': () => JSON.stringify({ input: Array.from({ length: 300_000 }, () => item('a')) }),
  '10 million empty lists': () => `{"input":[${'[],'.repeat(10_000_000)}[]]}`,
  '10,000 short items': () => JSON.stringify({ input: Array.from({ length: 10_000 }, () => item('a')) }),
  '10,000 items of 3 KB': () => JSON.stringify({ input: Array.from({ length: 10_000 }, () => item('word '.repeat(600))) }),
  '30 texts of 1 MiB': () => JSON.stringify({ input: Array.from({ length: 30 }, () => item('word '.repeat(mebibyte / 5))) }),
  'an image of 31 MiB': () =>
    JSON.stringify({ input: [item([{ type: 'input_image', image_url: `data:image/png;base64,${'QUJD'.repeat((31 * mebibyte) / 4)}` }])] }),
  'a text of 31 MiB': () => JSON.stringify({ input: 'wörd '.repeat((31 * mebibyte) / 6) }),
};

/** Sends from a thread of its own, so that only the gateway's work is on this one. */
async function send(port: number, name: string): Promise<string> {
  const sender = new Worker(new URL(import.meta.url), { workerData: { port, name } });
  return new Promise((resolve, reject) => sender.once('message', resolve).once('error', reject));
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** The most CPU used between two turns of the event loop, while `work` runs. */
async function longestBlock(work: () => Promise<string>): Promise<readonly [longestMs: number, totalMs: number, result: string]> {
  let longestMs = 0;
  let isDone = false;
  const from = cpuMs();
  let last = from;
  const look = (): void => {
    const now = cpuMs();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    if (!isDone) setTimeout(look, 0);
  };
  look();
  const result = await work();
  isDone = true;
  return [longestMs, cpuMs() - from, result];
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-'));
  const store = openSqliteStore(join(folder, 'turnkeep.db'));
  const { workflow: workflows } = new Client({ connection: Connection.lazy({ address: '127.0.0.1:1' }) });
  const limits = { heartbeatTimeoutMs: 8_000, turnTimeoutMs: 3_600_000 };
  const app = createApp({
    turnkeep: new Turnkeep({ store, dispatcher: new Dispatcher({ workflows, taskQueue: 'bench', store, limits, isEager: false }) }),
    exportTurn: async function* () {},
    version: '0.0.0',
    providerApi: 'responses',
    apiKeys: [],
    keys: store,
    requiresKey: false,
    requestsPerSecond: 0,
    maxBodyBytesAtOnce: 256 * mebibyte,
    corsOrigins: [],
    defaultModel: 'model',
    countTokens: async () => ({ type: 'unknown' }),
    listModels: async () => ({ type: 'listed', ids: [] }),
    isDraining: () => false,
    unreadyReasons: async () => [],
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    onRequestEnd: () => undefined,
    onError: (error) => console.error(error),
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createHttpServer((incoming, outgoing) => void listener(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  console.log('| body | longest block, CPU ms | in all, CPU ms | answer |\n| --- | --- | --- | --- |');
  await send(port, 'a short input');
  for (const name of Object.keys(bodies)) {
    const [longestMs, totalMs, result] = await longestBlock(() => send(port, name));
    console.log(`| ${name} | ${longestMs.toFixed(1)} | ${totalMs.toFixed(0)} | ${result} |`);
  }
  server.closeAllConnections();
  server.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}

if (parentPort === null) {
  await main();
} else {
  const { port, name } = workerData as { port: number; name: string };
  const body = (bodies[name]?.() ?? '').replace(/^\{/, '{"background":true,');
  const response = await fetch(`http://127.0.0.1:${port}/v1/responses`, { method: 'POST', body });
  const { error } = (await response.json()) as { error: { code: string } | null };
  parentPort.postMessage(`${response.status}${error === null ? '' : ` ${error.code}`}`, []);
}

/**
 * What each call of the store costs, alone, on this disk: CPU and time of the process, and pages written to the log. It
 * asserts nothing.
 *
 *     node bench/store.ts            turns with few settings
 *     node bench/store.ts 30000      turns whose tools take so many bytes
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalRow } from '../src/domain/response/response-event.ts';
import { journalRowOf } from '../src/domain/response/response-event.ts';
import { defaultSettings } from '../src/domain/response/response-settings.ts';
import { ResponseStream } from '../src/domain/response/response-stream.ts';
import { newResponse } from '../src/domain/response/response.ts';
import { sealOf } from '../src/settle/seal.ts';
import type { NewTurn, Store } from '../src/store/ports/store.ts';
import { openSqliteStore } from '../src/store/sqlite/open-store.ts';

const toolBytes = Number(process.argv[2] ?? 0);
const [sessions, turnsPerSession, tokens] = [40, 10, 20];
const lease = { holder: 'bench', lengthMs: 60_000 };
const tool = { type: 'function', name: 'tool', description: 'x'.repeat(toolBytes), parameters: null, strict: null } as const;
const settings = { ...defaultSettings('model'), instructions: 'Answer in one sentence.', tools: toolBytes === 0 ? [] : [tool] };

const acknowledged: Promise<boolean>[] = [];

interface Cost {
  calls: number;
  cpuUs: number;
  timeMs: number;
}

const costs = new Map<string, Cost>();

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const cost = costs.get(name) ?? { calls: 0, cpuUs: 0, timeMs: 0 };
  costs.set(name, cost);
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  cost.calls += 1;
  cost.cpuUs += user + system;
  cost.timeMs += performance.now() - startedAt;
  return result;
}

function turnOf(id: string, session: string, headStart: boolean): { turn: NewTurn; stream: ResponseStream } {
  const createdAtMs = Date.now();
  const opening = ResponseStream.open(newResponse({ id, createdAtMs, settings, session, previous: null }));
  const stream = ResponseStream.replay(opening);
  const [begun] = stream.begin();
  const input: NewTurn['input'] = [
    { id: `msg_${id}`, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: `Say ${id}.` }] },
  ];
  const turn: NewTurn = {
    id,
    tenant: 'default',
    session,
    previous: null,
    settings,
    input,
    json: { settings: JSON.stringify(settings), input: input.map((item) => JSON.stringify(item)) },
    idempotencyKey: null,
    bodyHash: id.padEnd(64, '0'),
    receivedAtMs: createdAtMs,
    createdAtMs,
    isResend: false,
    joinsTwin: true,
    workflowId: `turn/${id}`,
    events: opening.map(journalRowOf),
    whenBusy: 'enqueue',
    limits: { maxWaitingTurns: 100, maxRunningTurns: 1_000 },
    ...(headStart && begun !== undefined ? { headStart: { lease, row: journalRowOf(begun) } } : {}),
  };
  return { turn, stream };
}

async function run(store: Store, turn: NewTurn, stream: ResponseStream, name: string): Promise<void> {
  const inserted = await timed(`insertTurn, ${name}`, () => store.insertTurn(turn));
  if (inserted.type !== 'inserted') throw new Error(inserted.type);
  let epoch = inserted.begun?.epoch;
  if (epoch === undefined) {
    const claim = await timed('claim', () => store.claim({ turn: turn.id, step: 1, lease }));
    if (claim.type !== 'granted') throw new Error(claim.type);
    ({ epoch } = claim);
  }
  const writes = epoch;
  await timed('readTranscript', () => store.readTranscript(turn.id));
  await timed('markDispatched', () => store.markDispatched([{ turn: turn.id, runId: 'a'.repeat(36) }]));
  for (let token = 0; token < tokens; token += 1) {
    const rows = stream.write({ type: 'text', text: 'token ' }).map(journalRowOf);
    const append: { turn: string; epoch: number; rows: JournalRow[] } = { turn: turn.id, epoch: writes, rows };
    const starts = { turn: turn.id, step: 1, attempt: 1 };
    if (token === 0) await timed('append, the start', () => store.append({ ...append, starts }));
    else await timed('append', () => store.append(append));
  }
  const row = inserted.turn;
  const end = { outcome: 'completed', endedAtMs: Date.now() } as const;
  const seal = sealOf(row, stream, writes, { status: 'completed', usage: null }, Date.now());
  await timed('seal', () => store.seal({ ...seal, attempt: { turn: turn.id, step: 1, attempt: 1, end } }));
  acknowledged.push(store.acknowledge(turn.id));
  await timed('readTurn', () => store.readTurn(turn.id));
}

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-store-'));
const store = openSqliteStore(join(folder, 'turnkeep.db'));
let count = 0;
for (let session = 0; session < sessions; session += 1) {
  const id = `conv_${String(session).padStart(48, '0')}`;
  await store.createSession({ id, tenant: 'default', metadata: {}, createdAtMs: Date.now() });
  for (let at = 0; at < turnsPerSession; at += 1) {
    const { turn, stream } = turnOf(`resp_${String((count += 1)).padStart(48, '0')}`, id, session % 2 === 0);
    await run(store, turn, stream, session % 2 === 0 ? 'head start' : 'plain');
    if (session === 1 && at === 0) costs.clear();
  }
}
await Promise.all(acknowledged);
// As many streams at once as fit into the same few milliseconds.
const streams: { turn: NewTurn; stream: ResponseStream }[] = [];
for (let at = 0; at < 20; at += 1) {
  const id = `conv_s${String(at)}`;
  await store.createSession({ id, tenant: 'default', metadata: {}, createdAtMs: Date.now() });
  const { turn, stream } = turnOf(`resp_s${String(at).padStart(47, '0')}`, id, true);
  await store.insertTurn(turn);
  streams.push({ turn, stream });
}
await timed('20 streams x 100 appends within 4 ms each', async () => {
  for (let token = 0; token < 100; token += 1) {
    const writing = streams.map(async ({ turn, stream }, index) => {
      await new Promise((resolve) => setTimeout(resolve, index % 4));
      await store.append({ turn: turn.id, epoch: 1, rows: stream.write({ type: 'text', text: 'token ' }).map(journalRowOf) });
    });
    await Promise.all(writing);
  }
});
await store.close();
for (const [name, { calls, cpuUs, timeMs }] of costs) {
  console.log(
    `${name.padEnd(45)} ${(cpuUs / calls).toFixed(0).padStart(8)} us CPU ${((timeMs * 1_000) / calls).toFixed(0).padStart(8)} us`,
  );
}
console.log(`database: ${(statSync(join(folder, 'turnkeep.db')).size / 1_048_576).toFixed(1)} MiB`);
rmSync(folder, { recursive: true });

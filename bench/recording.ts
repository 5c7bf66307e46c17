/**
 * What recording an answer costs: CPU of the process that runs attempts, a turn, for each of `TURNKEEP_RECORD`, without Temporal
 * and with the model server in the same process; and what is kept of how many bytes. It asserts nothing.
 *
 *     node bench/recording.ts              1,000 turns of 20 tokens of each mode, by turns
 *     node bench/recording.ts 200 2000     so many turns of so many tokens
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunningAttempts } from '../src/activities/attempt/running-attempts.ts';
import { journalRowOf } from '../src/domain/response/response-event.ts';
import { defaultSettings } from '../src/domain/response/response-settings.ts';
import { ResponseStream } from '../src/domain/response/response-stream.ts';
import { newResponse } from '../src/domain/response/response.ts';
import { type RecordMode, recordModes } from '../src/domain/turn/recording.ts';
import { createProvider } from '../src/providers/create-provider.ts';
import { openSqliteStore } from '../src/store/sqlite/open-store.ts';
import { decodeRecordings } from '../src/store/recordings/decode.ts';
import { chatAnswer, startModelServer } from '../src/testing/model-server/index.ts';

const turns = Number(process.argv[2] ?? 1_000);
const tokens = Number(process.argv[3] ?? 20);
const turnsAtOnce = 50;
const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  heartbeatTimeoutMs: 60_000,
  turnTimeoutMs: 600_000,
  maxOutputBytes: 16_777_216,
};

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-recording-'));
const store = openSqliteStore(join(folder, 'turnkeep.db'));
const answer = chatAnswer(...Array.from({ length: tokens }, (_, at) => `word${at} `));
const model = await startModelServer({ fallback: answer });
const provider = createProvider({ api: 'chat', baseUrl: model.baseUrl, limits });
const settings = defaultSettings('model');
const attempts = Object.fromEntries(
  recordModes.map((record) => [
    record,
    new RunningAttempts({ store, provider, limits, record, onReady: () => undefined, onError: console.error }),
  ]),
) as Record<RecordMode, RunningAttempts>;

async function run(mode: RecordMode, id: string): Promise<void> {
  const opening = ResponseStream.open(newResponse({ id, createdAtMs: Date.now(), settings, session: null, previous: null }));
  await store.insertTurn({
    id,
    tenant: 'default',
    session: null,
    previous: null,
    settings,
    input: [],
    json: { settings: JSON.stringify(settings), input: [] },
    idempotencyKey: null,
    bodyHash: id,
    receivedAtMs: Date.now(),
    createdAtMs: Date.now(),
    isResend: false,
    joinsTwin: false,
    workflowId: `turn/${id}`,
    events: opening.map(journalRowOf),
    whenBusy: 'enqueue',
    limits: { maxWaitingTurns: 1, maxRunningTurns: 1_000_000 },
  });
  const claim = await store.claim({ turn: id, step: 1, lease: attempts[mode].lease });
  if (claim.type !== 'granted') throw new Error(claim.type);
  await attempts[mode].run(claim, 1).result;
}

const cpuUs: Record<RecordMode, number[]> = { wire: [], answers: [], off: [] };
for (let from = -turnsAtOnce; from < turns; from += turnsAtOnce) {
  for (const mode of recordModes) {
    const before = process.cpuUsage();
    for (let turn = 0; turn < turnsAtOnce; turn += 1) await run(mode, `${mode}_${from + turn}`);
    const { user, system } = process.cpuUsage(before);
    // The first ones compile.
    if (from >= 0) cpuUs[mode].push((user + system) / turnsAtOnce);
  }
}

const medians = Object.fromEntries(
  recordModes.map((mode) => [mode, cpuUs[mode].toSorted((one, other) => one - other)[Math.floor(cpuUs[mode].length / 2)] ?? 0]),
);
for (const mode of recordModes) {
  const mean = cpuUs[mode].reduce((sum, each) => sum + each, 0) / cpuUs[mode].length;
  const parts = await store.readRecordings(`${mode}_0`);
  const kept = parts.reduce((sum, { data }) => sum + data.length, 0);
  const entries = decodeRecordings(parts).flatMap((each) => each.entries);
  const wire = entries.reduce((sum, entry) => sum + (entry.type === 'chunk' ? entry.bytes.length : 0), 0);
  process.stdout.write(
    `${mode.padEnd(8)} ${(mean / 1_000).toFixed(3)} ms a turn (median of batches ${((medians[mode] ?? 0) / 1_000).toFixed(3)}), ${kept} bytes in ${parts.length} parts, ${wire} on the wire\n`,
  );
}
await provider.close();
await model.close();
await store.close();
rmSync(folder, { recursive: true, force: true });

/** `turnkeep rerun` over files: many at once, and what differs by its event and its byte. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RecordingEntry } from '../../src/domain/turn/recording.ts';
import type { Bundle } from '../../src/history/bundle.ts';
import type { FileReport } from '../../src/history/rerun/rerun-files.ts';
import { decodeRecordings } from '../../src/store/recordings/decode.ts';
import { RecordingBuffer } from '../../src/store/recordings/encode.ts';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { bundleOf } from '../support/bundle.ts';
import { TurnRunner } from '../support/run-turns.ts';

const main = join(import.meta.dirname, '../../src/cli/main.ts');

async function turnkeep(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'rerun', ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** The bundle with another recording. */
function withEntries(bundle: Bundle, change: (entry: RecordingEntry) => RecordingEntry): Bundle {
  const [part] = bundle.recordings;
  assert.ok(part);
  const runs = decodeRecordings(bundle.recordings.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data, 'base64') })));
  const buffer = new RecordingBuffer();
  for (const entry of (runs[0]?.entries ?? []).map(change)) {
    if (entry.type === 'chunk') buffer.chunk(entry.at, entry.bytes);
    else if (entry.type === 'flush') buffer.flush(entry.chunk, entry.deltas);
    else buffer.add(entry);
  }
  return { ...bundle, recordings: [{ ...part, part: 0, data: Buffer.from(buffer.take()).toString('base64') }] };
}

test('a folder of turns is run again in several processes; one wire byte that is another is named; what is not recorded is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-rerun-command-'));
  try {
    await using turns = await TurnRunner.open();
    for (let at = 0; at < 25; at += 1) {
      const id = `resp_${at}`;
      await turns.run({ id }, at % 2 === 0 ? chatAnswer('Hello', ' world') : chatToolCalls({ id: 'c', name: 'one', arguments: { at } }));
      writeFileSync(join(folder, `${id}.turn.json`), JSON.stringify(await bundleOf(turns.store, id)));
    }
    const same = await turnkeep(folder);
    assert.deepEqual([same.code, same.stdout], [0, '25 turns are the same to the byte\n'], same.stderr);

    const edited = withEntries(await bundleOf(turns.store, 'resp_0'), (entry) =>
      entry.type === 'chunk' ? { ...entry, bytes: Buffer.from(Buffer.from(entry.bytes).toString().replace('world', 'wor1d')) } : entry,
    );
    writeFileSync(join(folder, 'resp_0.turn.json'), JSON.stringify(edited));
    const other = await turnkeep(folder, '--json');
    assert.equal(other.code, 1, other.stderr);
    const reports = other.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as FileReport);
    const report = reports.find(({ outcome }) => outcome === 'differs');
    assert.equal(reports.length, 25);
    assert.equal(report?.id, 'resp_0');
    assert.match(report.difference?.path ?? '', /^delta$/);
    assert.ok((report.difference?.wire?.byte ?? 0) > 0);
    assert.match(
      (await turnkeep(join(folder, 'resp_0.turn.json'))).stdout,
      /^resp_0 differs\n {2}event {5}\d+ response\.output_text\.delta, delta\n/,
    );

    const apart = join(folder, 'apart');
    mkdirSync(apart);
    await turns.run({ id: 'resp_off', record: 'off' }, chatAnswer('Hi'));
    writeFileSync(join(apart, 'off.turn.json'), JSON.stringify(await bundleOf(turns.store, 'resp_off')));
    const off = await turnkeep(apart);
    assert.equal(off.code, 2);
    assert.match(off.stdout, /^resp_off was not run again: attempt 1 of step 1 was not recorded: TURNKEEP_RECORD was off/);
    assert.equal((await turnkeep(join(folder, 'none.json'))).code, 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

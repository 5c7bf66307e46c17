/**
 * How long `turnkeep replay` takes over many exported turns: `node bench/replay.ts [TURNS]`. Bundles as `export` writes them, with the
 * histories of the turns of the corpus (`test/replay/histories`), one after the other, and journals of 200 events.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bundle, bundleFormat, bundleVersion } from '../src/history/bundle.ts';
import { type JsonEvent, jsonOfEvents } from '../src/history/history-json.ts';
import { readHistory } from '../test/replay/record.ts';

function bundleOf(number: number, events: readonly JsonEvent[]): Bundle {
  const id = `resp_${number}`;
  const data = JSON.stringify({ type: 'response.output_text.delta', delta: 'word '.repeat(10), item_id: `msg_${number}` });
  return {
    format: bundleFormat,
    version: bundleVersion,
    exported_at: new Date().toISOString(),
    turnkeep: '0.0.0',
    redacted: false,
    timeline: { id, status: 'completed' },
    turn: {
      id,
      public_id: id,
      kind: 'response',
      session: null,
      previous: null,
      replaces: null,
      parent: null,
      status: 'completed',
      settings: { model: 'model' },
      input_count: 1,
      brings_outputs: false,
      is_stored: true,
      created_at_ms: 0,
      ready_at_ms: 0,
      cancel_requested_at_ms: null,
      settled_at_ms: 0,
      error_code: null,
      retry_at_ms: null,
      usage: null,
      workflow_id: `turn/${id}`,
      run_id: null,
      owner_run_id: null,
      erased_by: null,
    },
    transcript: [],
    input: [],
    attempts: [],
    calls: [],
    journal: Array.from({ length: 200 }, (_, seq) => ({ seq, type: 'response.output_text.delta', data })),
    recordings: [],
    temporal: { workflow_id: `turn/${id}`, run_ids: [String(number)], histories: [{ events: [...events] }] },
  };
}

const root = join(import.meta.dirname, '..');
const corpus = join(root, 'test/replay/histories');
const [turns = 1_000] = process.argv.slice(2).map(Number);
const histories = globSync('turn.*.txt', { cwd: corpus }).map((name) =>
  jsonOfEvents(readHistory(readFileSync(join(corpus, name), 'utf8')).history.events ?? []),
);
const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-'));
try {
  for (let number = 0; number < turns; number += 1) {
    writeFileSync(join(folder, `${number}.turn.json`), JSON.stringify(bundleOf(number, histories[number % histories.length] ?? [])));
  }
  const fromMs = performance.now();
  const said = execFileSync(process.execPath, [join(root, 'bin/turnkeep.js'), 'replay', folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  console.log({
    turns,
    seconds: (performance.now() - fromMs) / 1_000,
    cores: availableParallelism(),
    load: loadavg()[0],
    said: said.trim(),
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** `replay`: the runs of files on changed workflow code, each divergence named to the event and the line. */
import assert from 'node:assert/strict';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createEncryption } from '../../src/codec/encryption.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { jsonOfEvents } from '../../src/history/history-json.ts';
import { replay } from '../../src/history/replay/replay.ts';
import type { ReplayReport } from '../../src/history/replay/replay-histories.ts';
import { replayBundles } from '../../src/roles/replay-bundle.ts';
import { readHistory } from '../replay/record.ts';
import { testCacheDir } from '../support/temporal-server.ts';

const root = join(import.meta.dirname, '../..');
const corpus = join(root, 'test/replay/histories');

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-replay-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The recorded histories as files. @param named those whose names begin so */
function histories(folder: string, named: string): string[] {
  return globSync(`${named}*.txt`, { cwd: corpus })
    .toSorted()
    .map((name) => {
      const { history } = readHistory(readFileSync(join(corpus, name), 'utf8'));
      const file = join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify({ events: jsonOfEvents(history.events ?? []) }));
      return file;
    });
}

/** Our workflow code with one change. @returns the path of its module */
function changed(folder: string, file: string, change: (code: string) => string): string {
  for (const room of ['workflows', 'contract', 'domain']) cpSync(join(root, 'src', room), join(folder, 'src', room), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'src/workflows', file);
  const [before, after] = [readFileSync(path, 'utf8'), change(readFileSync(path, 'utf8'))];
  assert.notEqual(after, before, 'the change has changed something');
  writeFileSync(path, after);
  return join(folder, 'src/workflows/index.ts');
}

const config = readConfig({ env: {} });

async function replayed(files: readonly string[], workflowsPath?: string): Promise<readonly ReplayReport[]> {
  return replay({ files, ...replayBundles({ config, workflowsPath, cacheFolder: testCacheDir }) });
}

function told({ outcome, divergence }: ReplayReport | { outcome: string; divergence?: never }): unknown {
  if (divergence === undefined) return outcome;
  const { event, expected, found, line, place, change } = divergence;
  return { event, expected, found, line: line?.replace(/^.*(src\/workflows\/)/, '$1'), place, change };
}

function lineOf(code: string, text: string): number {
  return code.split('\n').findIndex((line) => line.includes(text)) + 1;
}

test('a history whose payloads are encrypted by a key that is not there is not replayed, and is no divergence', async (t) => {
  const folder = folderFor(t);
  const [file = ''] = histories(folder, '');
  const { events } = JSON.parse(readFileSync(file, 'utf8')) as { events: object[] };
  const codec = createEncryption([{ id: 'theirs', key: Buffer.alloc(32, 7) }]);
  const [input] = await codec.encode([{ metadata: {}, data: Buffer.from('{}') }]);
  const base64 = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');
  const metadata = Object.fromEntries(Object.entries(input?.metadata ?? {}).map(([name, value]) => [name, base64(value)]));
  const started = (events[0] as { workflowExecutionStartedEventAttributes: { input: unknown } }).workflowExecutionStartedEventAttributes;
  started.input = { payloads: [{ metadata, data: base64(input?.data) }] };
  writeFileSync(file, JSON.stringify({ events }));
  const [report] = await replayed([file]);
  assert.equal(report?.outcome, 'not_replayed', JSON.stringify(report));
  assert.match(report?.reason ?? '', /TURNKEEP_CODEC_KEYS/);
});

test('every recorded history is the same on the code as it is', async (t) => {
  const files = histories(folderFor(t), '');
  const reports = await replayed(files);
  assert.deepEqual(
    reports.filter(({ outcome }) => outcome !== 'same'),
    [],
  );
  assert.equal(reports.length, files.length);
});

interface Change {
  readonly title: string;
  /** The history, by the beginning of its name. */
  readonly of: string;
  readonly file: string;
  readonly change: (code: string) => string;
  /** The line that is named: the first one with this text. */
  readonly at: string;
  readonly told: object;
}

const streamed = 'turn.streamModel.0572acc8';
const askedAgain = 'turn.streamModel.provider_busy.timer-fired.streamModel.a42cfea2';
const result = '  const result = streamModel({ database, turn, step: command.step });';
const raced = "  return { type: 'stepEnded', step: await Promise.race([result, grace]) };";
const proxied = "proxyActivities<any>({ startToCloseTimeout: '5s' })['noteStep']()";

const changes: readonly Change[] = [
  {
    title: 'a timer that was added before an activity',
    of: streamed,
    file: 'run-turn.ts',
    change: (code) => code.replace(result, `  await sleep(10);\n${result}`),
    at: 'await sleep(10)',
    told: {
      event: { id: '5', type: 'ActivityTaskScheduled' },
      expected: 'the activity streamModel',
      found: 'a timer',
      place: 'at',
      change: 'a timer was added before the activity streamModel, or took its place',
    },
  },
  {
    title: 'an activity that was added behind another one',
    of: streamed,
    file: 'run-turn.ts',
    change: (code) =>
      code.replace(
        raced,
        `  const step = await Promise.race([result, grace]);\n  await ${proxied};\n  return { type: 'stepEnded', step };`,
      ),
    at: "['noteStep']()",
    told: {
      event: { id: '11', type: 'WorkflowExecutionCompleted' },
      expected: "the workflow's end, completed",
      found: 'the activity noteStep',
      place: 'at',
      change: "the activity noteStep was added before the workflow's end, completed, or took its place",
    },
  },
  {
    title: 'an activity of another name',
    of: 'webhook.deliverWebhook.3c57caba',
    file: 'webhook.ts',
    change: (code) =>
      code.replace(
        'return await deliverWebhook(input)',
        'return await (proxyActivities<any>({ startToCloseTimeout: 1 })).sendWebhook(input)',
      ),
    at: '.sendWebhook(input)',
    told: {
      event: { id: '5', type: 'ActivityTaskScheduled' },
      expected: 'the activity deliverWebhook',
      found: 'the activity sendWebhook',
      place: 'at',
      change: 'the activity deliverWebhook was replaced by the activity sendWebhook, or the activity sendWebhook was added before it',
    },
  },
  {
    title: 'a timer that was removed',
    of: askedAgain,
    file: 'run-turn.ts',
    change: (code) => code.replace('await sleep(command.waitMs);', ''),
    at: result.trim(),
    told: {
      event: { id: '11', type: 'TimerStarted' },
      expected: 'a timer',
      found: 'the activity streamModel',
      place: 'at',
      change: 'a timer was removed, or moved behind the activity streamModel',
    },
  },
  {
    title: 'code that throws',
    of: streamed,
    file: 'run-turn.ts',
    change: (code) => code.replace(result, `  if (command.step === 1) throw new TypeError('broken');\n${result}`),
    at: "TypeError('broken')",
    told: { event: null, expected: 'the code goes on', found: 'the code throws', place: 'at', change: 'the code fails where it did not' },
  },
];

for (const { title, of, file, change, at, told: expected } of changes) {
  test(`${title} is named, with its line`, async (t) => {
    const folder = folderFor(t);
    const files = histories(folder, of);
    let line = 0;
    const path = changed(folder, file, (code) => {
      const after = change(code);
      line = lineOf(after, at);
      return after;
    });
    const [report] = await replayed(files, path);
    assert.ok(report);
    assert.deepEqual(told(report), { ...expected, line: `src/workflows/${file}:${line}` });
  });
}

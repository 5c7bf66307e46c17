/** A turn as a file: all that the database and Temporal have of it, over real turns. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from '@temporalio/worker';
import { type Bundle, bundleSchema, readBundle } from '../../src/history/bundle.ts';
import { historyOfJson } from '../../src/history/history-json.ts';
import { replay } from '../../src/history/replay/replay.ts';
import { replayBundles } from '../../src/roles/replay-bundle.ts';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { chat, chatAnswer, chatToolCalls, done, end, sseHead } from '../../src/testing/model-server/index.ts';
import { testCacheDir } from '../support/temporal-server.ts';
import { until } from '../support/until.ts';
import { startOwnWorker } from '../support/own-worker.ts';
import { ask } from '../support/own-workflows.ts';
import { World } from '../support/world.ts';
import { agentStory, bigResult, call, helper } from './agent-story.ts';

/** As `turnkeep export` has it: through a file. */
async function exported(world: World, id: string, query = ''): Promise<Bundle> {
  await until(async () => (await world.store.readTurn(await world.ownId(id)))?.isDispatched === true);
  const answer = await fetch(`${world.url}/turns/${id}/export${query}`);
  assert.equal(answer.status, 200);
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-export-'));
  try {
    const file = join(folder, 'one.turn.json');
    await writeFile(file, await answer.text());
    return await readBundle(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function replays({ temporal }: Bundle): Promise<number> {
  assert.ok('histories' in temporal, JSON.stringify(temporal));
  const workflowBundle = await bundleWorkflows({ codecKeys: [] }, { cacheFolder: testCacheDir });
  for (const history of temporal.histories) await Worker.runReplayHistory({ workflowBundle }, historyOfJson(history));
  return temporal.histories.length;
}

agentStory(
  'a turn with tools is exported whole: what went before, its requests, its calls, its journal to the byte, its history',
  async (world, tools) => {
    const session = await world.session();
    world.model.enqueue(chatAnswer('Hello there'));
    await world.hear('hi', { conversation: session });
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'big')), chatAnswer('done'));
    const viewer = await world.hear('go', { ...helper, conversation: session });
    const { id } = viewer.last.response;
    await world.history(id);
    const bundle = await exported(world, id);
    const members = Object.keys(bundleSchema.shape).filter((name) => name !== 'recordings_left_out');
    assert.deepEqual(Object.keys(bundle), members, 'the members, in their order');
    // A viewer is noted as gone a moment after it has seen the end.
    const { viewers: _followed, ...told } = (await world.call('GET', `/turns/${id}`)).body as { viewers: unknown };
    const { viewers: _exported, ...timeline } = bundle.timeline;
    assert.deepEqual(timeline, told);
    assert.deepEqual(
      bundle.transcript.map(({ status, input_count: inputs, items }) => [status, inputs, items.map(({ role }) => role)]),
      [['completed', 1, ['user', 'assistant']]],
    );
    assert.deepEqual(
      bundle.attempts.map(({ step, attempt, outcome }) => [step, attempt, outcome]),
      [
        [1, 1, 'completed'],
        [2, 1, 'completed'],
      ],
    );
    assert.deepEqual(
      bundle.calls.map(({ name, runs, result }) => [name, runs, result]),
      [
        ['echo', 1, 'echo of one'],
        ['big', 1, bigResult],
      ],
    );
    assert.equal(bundle.calls[0]?.attempts?.length, 1);
    const rows = await world.store.readJournal(await world.ownId(id));
    assert.deepEqual(
      bundle.journal,
      rows.map(({ seq, type, data }) => ({ seq, type, data })),
    );
    assert.equal(bundle.turn.workflow_id, `turn/${id}`);
    assert.equal(await replays(bundle), 1);
    assert.equal(tools.runs.length, 2);
  },
);

/** So long that no id and no time has it by chance. */
const number = '471147114711';
const canary = `Zebra-${number}-quagga`;

/** Every text in it, also what is in base64 of it, at any offset, and what deltas come to together. */
function textsOf(bundle: string): string {
  const { journal } = JSON.parse(bundle) as Bundle;
  const deltas = journal.map(({ data }) => (JSON.parse(data) as { delta?: string }).delta ?? '').join('');
  const decoded = [...bundle.matchAll(/[A-Za-z0-9+/=_-]{16,}/g)].flatMap(([text]) =>
    [0, 1, 2, 3].map((from) => Buffer.from(text.slice(from), 'base64').toString('latin1')),
  );
  return [bundle, deltas, ...decoded].join('\n');
}

agentStory(
  'a redacted turn holds nothing that anybody said or chose, and still replays, with every length and number as it was',
  async (world) => {
    world.model.enqueue(
      chatToolCalls(
        { id: `call_${canary}`, name: 'echo', arguments: { name: `${canary} "in" the\nargument` } },
        call('c2', 'broken', canary),
      ),
      chatAnswer(`The answer says ${canary} and more of ${canary}`),
    );
    const chosen = `resp_${canary}`;
    const viewer = await world.say(
      `tell me of ${canary}`,
      {
        ...helper,
        instructions: `be ${canary}`,
        metadata: { [`key ${canary}`]: canary },
        user: canary,
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_text', text: canary },
              {
                type: 'input_file',
                filename: `${canary}.pdf`,
                file_data: `data:application/pdf;base64,${Buffer.from(canary).toString('base64')}`,
              },
            ],
          },
        ],
        tools: [
          {
            type: 'function',
            name: canary,
            description: canary,
            parameters: { type: 'object', properties: { [canary]: { type: 'string', enum: [canary] } } },
          },
        ],
      },
      { 'x-turnkeep-response-id': chosen },
    );
    await viewer.ended;
    await world.history(chosen);
    const plain = await exported(world, chosen);
    assert.ok(textsOf(JSON.stringify(plain)).includes(canary), 'what is looked for would be found');
    const bundle = await exported(world, chosen, '?redact=true');
    const text = textsOf(JSON.stringify(bundle));
    for (const part of [
      canary,
      'Zebra',
      number,
      'quagga',
      Buffer.from(canary).toString('base64'),
      Buffer.from(canary).toString('hex'),
      'Help.',
      'echo of',
      'is broken',
      'the answer',
    ]) {
      assert.ok(!text.toLowerCase().includes(part.toLowerCase()), `${part} is in the redacted bundle`);
    }
    assert.equal(bundle.redacted, true);
    assert.equal(await replays(bundle), 1);
    assert.deepEqual(
      shapeOf(bundle.journal.map(({ data }) => JSON.parse(data))),
      shapeOf(plain.journal.map(({ data }) => JSON.parse(data))),
    );
    assert.deepEqual(
      bundle.journal.map(({ seq, type }) => [seq, type]),
      plain.journal.map(({ seq, type }) => [seq, type]),
    );
    const done = bundle.journal.map(({ data }) => JSON.parse(data) as { type: string; delta?: string; text?: string });
    const deltas = done.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta);
    assert.equal(deltas.join(''), done.find(({ type }) => type === 'response.output_text.done')?.text, 'the deltas come to the whole text');
    const said = bundle.calls.map(({ arguments: args }) => JSON.parse(args) as object);
    assert.deepEqual(
      said.map((args) => Object.keys(args).length),
      [1, 1],
      'arguments are JSON',
    );
    assert.equal(Object.keys(said[0] ?? {})[0], Object.keys(said[1] ?? {})[0], 'what was the same is the same');
  },
);

/** Numbers, lengths of texts, and what they stand under; names that nobody but OpenAI chose. */
function shapeOf(value: unknown): unknown {
  if (typeof value === 'string') return value.length;
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([key, member]) => [key.length, shapeOf(member)]);
}

test(
  "a redacted turn of somebody's own workflow, with reasoning in pieces, has no word of it in its history or its events, and replays on his code",
  { timeout: 120_000 },
  async () => {
    await using world = await World.open();
    const own = await startOwnWorker(world);
    const pieces = canary.match(/.{1,3}/g) ?? [];
    world.model.enqueue([
      sseHead,
      ...pieces.map((piece) => chat.reasoning(piece)),
      ...pieces.map((piece) => chat.content(piece)),
      chat.finish(),
      chat.usage(),
      done,
      end,
    ]);
    const handle = await own.start(ask, { model: 'scripted', input: `of ${canary}`, settings: { metadata: { about: canary } } });
    const { id, outputText } = await handle.result();
    assert.equal(outputText, canary);
    const [plain, bundle] = [await exported(world, id), await exported(world, id, '?redact=true')];
    assert.ok(textsOf(JSON.stringify(plain)).includes(canary));
    const text = textsOf(JSON.stringify(bundle));
    for (const part of ['Zebra', number, 'quagga']) assert.ok(!text.includes(part), `${part} is in the redacted bundle`);
    const folder = await mkdtemp(join(tmpdir(), 'turnkeep-export-'));
    try {
      const files = [plain, bundle].map((_, index) => join(folder, `${index}.turn.json`));
      await Promise.all([plain, bundle].map((each, index) => writeFile(files[index] ?? '', JSON.stringify(each))));
      const workflowsPath = join(import.meta.dirname, '../support/own-workflows.ts');
      const reports = await replay({ files, ...replayBundles({ config: world.config, workflowsPath }) });
      assert.deepEqual(
        reports.map(({ outcome, divergence }) => [outcome, divergence?.message]),
        [
          ['same', undefined],
          ['same', undefined],
        ],
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

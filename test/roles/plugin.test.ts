/** `turnkeepPlugin` beside what an application has of its own: activities, interceptors, a codec, task queues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { bundleWorkflowCode, NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { pino } from 'pino';
import { turnkeepPlugin } from '../../src/worker.ts';
import { chatAnswer, type LoggedRequest } from '../../src/testing.ts';
import { asked } from '../support/cases.ts';
import { greeted } from '../support/own-workflows.ts';
import { World } from '../support/world.ts';

const options = { timeout: 120_000 };
const workflowsPath = new URL('../support/own-workflows.ts', import.meta.url).pathname;
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const log = pino({ level: 'silent' });
const model = () => ({ fallback: (request: LoggedRequest) => chatAnswer('on ', asked(request)) });
const greet = async (name: string): Promise<string> => `Hello ${name}`;

/** Turns every byte over. */
const turned: PayloadCodec = {
  encode: async (payloads) => payloads.map(turnOver),
  decode: async (payloads) => payloads.map(turnOver),
};

function turnOver(payload: Payload): Payload {
  return { ...payload, data: (payload.data ?? new Uint8Array()).map((byte) => byte ^ 0xff) };
}

async function connect({ config }: World): Promise<NativeConnection> {
  return NativeConnection.connect({ address: config.temporal.address ?? '' });
}

interface Asked {
  readonly words: string;
  readonly history: string;
}

/** Runs `greeted` on a worker of the application's own. */
async function greetedBy(world: World, own: Partial<WorkerOptions>, client: Client, ...more: [string?]): Promise<Asked> {
  const taskQueue = `${world.config.taskQueue}-own`;
  const connection = await connect(world);
  const worker = await Worker.create({ connection, taskQueue, workflowsPath, bundlerOptions: {}, activities: { greet }, ...own });
  const workflowId = `own-${crypto.randomUUID()}`;
  const words = await worker.runUntil(
    client.workflow.execute(greeted, { workflowId, taskQueue, args: ['Ann', ...more] as [string, string] }),
  );
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  const { plugins, dataConverter, workflowBundle } = own;
  const replay = { ...(plugins === undefined ? {} : { plugins }), ...(dataConverter === undefined ? {} : { dataConverter }) };
  await Worker.runReplayHistory(
    { workflowsPath, ...replay, ...(workflowBundle === undefined ? {} : { workflowBundle }) },
    history,
    workflowId,
  );
  await connection.close();
  return { words, history: JSON.stringify(history) };
}

function base64(text: string): string {
  return Buffer.from(JSON.stringify(text)).toString('base64');
}

test("the application's activities, interceptors and codec are what they were", options, async () => {
  await using world = await World.open({ model, hasWorker: false });
  const dataConverter = { payloadCodecs: [turned] };
  const client = new Client({ connection: await connect(world), dataConverter });
  const seen: string[] = [];
  const { words, history } = await greetedBy(
    world,
    {
      dataConverter,
      interceptors: {
        activity: [
          ({ info }) => ({
            inbound: {
              execute: async (input, next) => {
                seen.push(info.activityType);
                return next(input);
              },
            },
          }),
        ],
      },
      plugins: [turnkeepPlugin({ config: world.config, store: world.openStore(), log })],
    },
    client,
  );
  assert.equal(words, 'on Hello Ann');
  assert.deepEqual(seen, ['greet', 'beginTurn', 'streamModel', 'readResult']);
  assert.ok(!history.includes(base64('Hello Ann')));
  await client.connection.close();
});

test('with codec keys one plugin is the codec of client, worker, bundler and replay', options, async () => {
  const codecKeys = [{ id: 'one', key: new Uint8Array(32).fill(7) }];
  await using world = await World.open({ model, hasWorker: false, hasGateway: false, config: { codecKeys } });
  const plugins = [turnkeepPlugin({ config: world.config, store: world.openStore(), log })];
  const connection = await connect(world);
  const client = new Client({ connection, plugins });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, plugins, logger: silent });
  const { words, history } = await greetedBy(world, { plugins, workflowBundle }, client);
  assert.equal(words, 'on Hello Ann');
  assert.ok(!history.includes(base64('Hello Ann')) && !history.includes(base64('on Hello Ann')));
  await connection.close();
});

test("taskQueue · the turns of a workflow run where turnkeep's activities are, on a queue that is not its own", options, async () => {
  await using world = await World.open({ model });
  const client = new Client({ connection: await connect(world) });
  const { words } = await greetedBy(world, {}, client, world.config.taskQueue);
  assert.equal(words, 'on Hello Ann');
  await client.connection.close();
});

test('what cannot work is refused when the worker is created', options, async () => {
  await using world = await World.open({ hasWorker: false, hasGateway: false });
  const { config } = world;
  const connection = await connect(world);
  const create = async (own: Partial<WorkerOptions>): Promise<Worker> =>
    Worker.create({ connection, taskQueue: 'own', workflowsPath, ...own });
  const plugins = [turnkeepPlugin({ config, store: world.store, log })];
  await assert.rejects(create({ plugins, namespace: 'elsewhere' }), /'elsewhere', that of turnkeep's configuration 'default'/);
  await assert.rejects(create({ plugins, activities: { streamModel: greet } }), /has the name 'streamModel'/);
  await connection.close();
});

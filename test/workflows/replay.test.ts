/** T10: histories that earlier versions recorded. Each is a `History` of Temporal's, as protobuf in base64. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../../src/roles/worker.ts';

const { History } = proto.temporal.api.history.v1;

test("T10 · a turn whose retries Temporal had used up replays: it was settled, where today's code goes on to the third request", async () => {
  const text = readFileSync(new URL('../data/histories/retries-ran-out.txt', import.meta.url), 'utf8');
  const history = History.decode(Buffer.from(text, 'base64'));
  assert.ok(history.events.length > 5);
  await Worker.runReplayHistory({ workflowBundle: await bundleWorkflows({ codecKeys: [] }) }, history, 'turn/resp_a');
});

/** What is told of a turn whose process was killed in the middle of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turnTimelineSchema } from '../../src/gateway/http/turn-schemas.ts';
import { chat, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };

test(
  'kill -9 of the worker after a start, with two viewers: the timeline says what each had seen, and why nothing was asked again',
  options,
  async () => {
    await using cluster = await startCluster();
    cluster.model.enqueue([sseHead, chat.content('Hel'), stall]);
    const { url } = await cluster.startGateway();
    const doomed = await cluster.startWorker();
    const first = await Viewer.open(`${url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'hi', stream: true }),
    });
    await first.untilText('Hel');
    const second = await Viewer.open(`${url}/v1/responses/${first.id}?stream=true&starting_after=1`);
    await second.untilText('Hel');
    await doomed.kill();
    await cluster.startWorker();
    await Promise.all([first.ended, second.ended]);
    const read = async () => turnTimelineSchema.parse(await (await fetch(`${url}/turns/${first.id}/timeline`)).json());
    let timeline = await read();
    await until(async () => (timeline = await read()).viewers.every(({ end }) => end === 'saw_end'));
    const [step] = timeline.steps;
    assert.ok(step && 'attempts' in step);
    const [only, ...others] = step.attempts;
    assert.deepEqual([timeline.error?.code, others], ['worker_lost', []]);
    assert.deepEqual(
      [only?.outcome, only?.phase, only?.retry],
      ['lost', 'started', { asked_again: false, reason: 'started', requests_left: 2 }],
    );
    const last = only?.last_event ?? Number.NaN;
    assert.deepEqual(only?.viewers, [
      { viewer: 1, from_event: 0, last_event: last },
      { viewer: 2, from_event: 2, last_event: last },
    ]);
    assert.ok(last < (timeline.journal?.last_event ?? 0), 'the end came after');
    assert.ok((timeline.journal?.epoch ?? 0) > (only?.epoch ?? 0), 'by another process');
  },
);

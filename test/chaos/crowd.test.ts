/** Two gateways and two workers on one data dir, any of them killed under twenty running turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const turns = 20;

for (const victim of ['worker', 'gateway'] as const) {
  test(
    `T2, T7 · kill -9 of a ${victim} under ${turns} running turns: each settles, none is asked again once started, no viewer sees a gap`,
    { timeout: 120_000 },
    async () => {
      const shown = new Set<string>();
      const late = new Set<string>();
      const asks = new Set<string>();
      await using cluster = await startCluster({
        model: {
          fallback: (request) => {
            const name = asked(request);
            if (shown.has(name)) late.add(name);
            const isFirst = !asks.has(name);
            asks.add(name);
            // Every second one has not said anything yet when the blow falls.
            const isSilent = Number(name.split(' ')[1]) % 2 === 0;
            const before: Script = isSilent ? [sseHead, chat.role()] : [sseHead, chat.content('Hel')];
            return isFirst ? [...before, hold('go'), chat.content('lo'), chat.finish(), done, end] : chatAnswer('second');
          },
        },
      });
      const gateways = [await cluster.startGateway(), await cluster.startGateway()];
      const workers = [await cluster.startWorker(), await cluster.startWorker()];
      const viewers = await Promise.all(
        Array.from({ length: turns }, async (_, index) =>
          Viewer.open(`${gateways[index % 2]!.url}/v1/responses`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ input: `turn ${index}`, stream: true }),
          }),
        ),
      );
      await until(() => asks.size === turns);
      await Promise.all(
        viewers.map(async (viewer, index) => {
          await viewer.until((seen) => seen.events.length > 0);
          if (index % 2 === 0) return;
          await viewer.untilText('Hel');
          shown.add(`turn ${index}`);
        }),
      );
      await (victim === 'worker' ? workers[0]! : gateways[0]!.role).kill();
      cluster.model.release('go');
      const survivor = gateways[1]!.url;
      await Promise.all(
        viewers.map(async (viewer, index) => {
          await viewer.ended;
          const { id } = viewer;
          const rest = viewer.isDone
            ? undefined
            : await Viewer.open(`${survivor}/v1/responses/${id}?stream=true&starting_after=${viewer.last.sequence_number}`);
          await rest?.ended;
          const whole = await Viewer.open(`${survivor}/v1/responses/${id}?stream=true`);
          await whole.ended;
          assert.deepEqual([...viewer.data, ...(rest?.data ?? [])], whole.data, `turn ${index}: the same bytes`);
          assert.deepEqual(
            whole.events.map((event) => event.sequence_number),
            whole.events.map((_, seq) => seq),
          );
          const { status, error } = whole.last.response;
          assert.ok(
            status === 'completed' || (victim === 'worker' && index % 2 === 1 && error?.code === 'worker_lost'),
            `turn ${index}: ${status} ${error?.code}`,
          );
        }),
      );
      assert.deepEqual([...late], [], 'no request after a first token');
    },
  );
}

/** Who follows a turn is noted without anybody waiting for it. */
import assert from 'node:assert/strict';
import { mock, test, type TestContext } from 'node:test';
import { mostViewers, type ViewerRow } from '../../../src/domain/turn/viewer.ts';
import { ViewerLog } from '../../../src/gateway/stream/viewer-log.ts';

function logFor(t: TestContext): { log: ViewerLog; writes: (readonly ViewerRow[])[]; errors: unknown[]; fails: { next: boolean } } {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.after(() => mock.timers.reset());
  const writes: (readonly ViewerRow[])[] = [];
  const errors: unknown[] = [];
  const fails = { next: false };
  const log = new ViewerLog({
    write: async (rows) => {
      if (fails.next) throw new Error('busy');
      writes.push(rows);
    },
    onError: (error) => errors.push(error),
  });
  return { log, writes, errors, fails };
}

test('what is noted in a second is one write, with each viewer as it stands then', async (t) => {
  const { log, writes } = logFor(t);
  const viewer = log.open('resp_a', 'sse', -1);
  for (let seq = 0; seq < 50; seq += 1) viewer.saw(seq);
  log.open('resp_b', 'websocket', 7);
  assert.equal(writes.length, 0);
  mock.timers.tick(1_000);
  assert.deepEqual(
    writes.map((rows) => rows.map(({ turn, protocol, fromSeq, lastSeq, end }) => [turn, protocol, fromSeq, lastSeq, end])),
    [
      [
        ['resp_a', 'sse', 0, 49, undefined],
        ['resp_b', 'websocket', 8, 7, undefined],
      ],
    ],
  );
  mock.timers.tick(5_000);
  assert.equal(writes.length, 1, 'nothing has changed');
  viewer.saw(50);
  viewer.close('saw_end');
  viewer.close('left');
  mock.timers.tick(1_000);
  assert.deepEqual([writes[1]?.length, writes[1]?.[0]?.lastSeq, writes[1]?.[0]?.end], [1, 50, 'saw_end']);
});

test('of very many at once those who come and go are written first, so many in a second', async (t) => {
  const { log, writes } = logFor(t);
  const viewers = Array.from({ length: 250 }, () => log.open('resp_a', 'sse', -1));
  mock.timers.tick(1_000);
  mock.timers.tick(1_000);
  assert.deepEqual(
    writes.map(({ length }) => length),
    [200, 50],
  );
  for (const viewer of viewers) viewer.saw(1);
  viewers.at(-1)?.close('reset');
  mock.timers.tick(1_000);
  assert.equal(writes[2]?.[0]?.end, 'reset');
});

test('a write that fails is reported, and lost; the next one is made', async (t) => {
  const { log, writes, errors, fails } = logFor(t);
  const viewer = log.open('resp_a', 'sse', -1);
  fails.next = true;
  mock.timers.tick(1_000);
  await Promise.resolve().then(() => undefined);
  assert.equal(errors.length, 1);
  fails.next = false;
  viewer.close('cut');
  await log.flush();
  assert.deepEqual(
    writes.map((rows) => rows.map(({ end }) => end)),
    [['cut']],
  );
});

test('what is not written yet is told with what is: the viewers of a turn as they are now', async (t) => {
  const { log } = logFor(t);
  const viewer = log.open('resp_a', 'sse', -1);
  const [opened] = log.newest('resp_a', []);
  assert.equal(opened?.lastSeq, -1);
  await log.flush();
  viewer.saw(3);
  assert.equal(log.newest('resp_a', opened === undefined ? [] : [{ ...opened, lastSeq: -1 }])[0]?.lastSeq, 3);
  assert.deepEqual(log.newest('resp_b', []), []);
  const earlier = Array.from({ length: mostViewers }, (_, n): ViewerRow => ({
    turn: 'resp_a',
    id: `${n}`,
    protocol: 'sse',
    openedAtMs: -n,
    fromSeq: 0,
    lastSeq: 0,
  }));
  assert.equal(log.newest('resp_a', earlier).length, mostViewers);
});

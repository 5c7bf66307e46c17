/** T1 · A turn counts as delivered once a client has its end, not once a gateway has it ready. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { pino } from 'pino';
import { sealOf } from '../../src/settle/seal.ts';
import { readStream } from '../../src/settle/read-stream.ts';
import { inserted, newTurn } from '../store/contract.ts';
import { World } from '../support/world.ts';

test('T1 · an answer that is cut off on its way is not delivered: the resend joins', { timeout: 60_000 }, async () => {
  const { promise: isCut, resolve: cut } = Promise.withResolvers<void>();
  const write = (line: string): void => {
    if (line.includes('"isCut":true')) cut();
  };
  await using world = await World.open({ hasWorker: false, log: pino({ level: 'info' }, { write }) });
  const { store, url } = world;
  // Larger than the sockets between them hold.
  const text = 'x'.repeat(32 * 1024 * 1024);
  const turn = await inserted(store, newTurn('resp_a'));
  const { epoch } = await store.fence('resp_a');
  const seal = sealOf(turn, await readStream(store, 'resp_a'), epoch, { status: 'cancelled', usage: null });
  const rows = seal.rows.map((row) => {
    const event = JSON.parse(row.data) as { response?: object };
    return event.response === undefined
      ? row
      : { ...row, data: JSON.stringify({ ...event, response: { ...event.response, metadata: { text } } }) };
  });
  assert.equal((await store.seal({ ...seal, rows })).type, 'sealed');

  const asking = get(`${url}/v1/responses/resp_a`, { agent: false });
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  asking.on('error', () => undefined);
  answer.on('error', () => undefined).destroy();
  await isCut;
  const db = new DatabaseSync(world.config.databaseUrl.slice('sqlite:'.length), { readOnly: true });
  const row = db.prepare('SELECT acknowledged FROM turns WHERE id = ?');
  assert.equal(row.get('resp_a')?.['acknowledged'], 0);

  assert.equal((await world.call('GET', '/v1/responses/resp_a')).status, 200);
  while (row.get('resp_a')?.['acknowledged'] !== 1) await nextTurnOfTheLoop();
  db.close();
});

/** The end of a turn whose requests are spent, where the last of them may still have a holder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalRowOf, type ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { endOfRefusal } from '../../src/domain/turn/claim.ts';
import { requestsPerStep } from '../../src/domain/turn/retry-policy.ts';
import { settleDead } from '../../src/settle/settle-turn.ts';
import { claimed, expiredLease, inserted, lease, newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const turn = 'resp_a';

test('T8 · what the last request shows while it is found that none is left is not the end of a request that showed nothing', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn(turn));
  let epoch = 0;
  for (let request = 0; request < requestsPerStep; request += 1) ({ epoch } = await claimed(store, turn, { lease: expiredLease }));
  const refused = await store.claim({ turn, step: 1, lease });
  assert.equal(refused.type, 'exhausted');
  const stream = ResponseStream.replay((await store.readJournal(turn)).map(({ data }) => JSON.parse(data) as ResponseEvent));
  const rows = stream.write({ type: 'text', text: 'Hel' }).map(journalRowOf);
  const starts = { turn, step: 1, attempt: requestsPerStep };
  assert.equal(await store.append({ turn, epoch, rows, starts }), true, 'nobody has fenced it yet');
  const end = await settleDead({ store, onReady: () => undefined }, { turn, epoch }, endOfRefusal('exhausted'));
  assert.deepEqual(end, { status: 'failed', code: 'worker_lost' });
  assert.equal((await store.readAttempts(turn)).at(-1)?.outcome, 'lost');
});

test('T3 · a last request that has shown nothing ends as a network failure; one whose holder has come back is left to it', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn(turn));
  let epoch = 0;
  for (let request = 0; request < requestsPerStep; request += 1) ({ epoch } = await claimed(store, turn, { lease: expiredLease }));
  assert.equal((await store.claim({ turn, step: 1, lease })).type, 'exhausted');
  await store.beat({ lease: { ...expiredLease, lengthMs: lease.lengthMs }, turns: [turn] });
  const deps = { store, onReady: () => undefined };
  assert.equal(await settleDead(deps, { turn, epoch }, endOfRefusal('exhausted')), undefined);
  await store.beat({ lease: expiredLease, turns: [turn] });
  assert.deepEqual(await settleDead(deps, { turn, epoch }, endOfRefusal('exhausted')), { status: 'failed', code: 'transport_failed' });
});

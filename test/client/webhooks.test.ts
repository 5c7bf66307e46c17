/** Who hands the events that are owed to Temporal, and when. Temporal is not there: what is asked of it is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { startWebhooks, withWebhooks } from '../../src/client/webhooks.ts';
import { giveUpAfterMs, startAgainAfterMs, startGraceMs, webhookEvents, type WebhookReport } from '../../src/domain/turn/webhook.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { setClock } from '../store/clock.ts';
import { claimed, ended, inserted, newTurn, sealOf } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

interface Temporal {
  isAway: boolean;
  readonly started: readonly string[];
  readonly startWebhook: (turn: string) => Promise<undefined>;
}

function temporalOf(): Temporal {
  const started: string[] = [];
  const temporal = {
    isAway: false,
    started,
    startWebhook: async (turn: string) => {
      if (temporal.isAway) throw new Error('away');
      started.push(turn);
      return undefined;
    },
  };
  return temporal;
}

interface Swept {
  readonly errors: readonly unknown[];
  readonly reports: readonly WebhookReport[];
}

async function sweep(store: Store, dispatcher: Temporal): Promise<Swept> {
  const errors: unknown[] = [];
  const reports: WebhookReport[] = [];
  await startWebhooks({ store, dispatcher, onReport: (report) => reports.push(report), onError: (error) => errors.push(error) });
  return { errors, reports };
}

async function sealed(store: Store, id: string): Promise<void> {
  await inserted(store, newTurn(id, { webhookEvents, bodyHash: id }));
  const { epoch } = await claimed(store, id);
  assert.equal((await store.seal(sealOf(id, epoch))).type, 'sealed');
}

test('who writes the end of a turn hands its event over at once, and nobody does it again', async () => {
  await using database = temporaryDatabase();
  const temporal = temporalOf();
  const store = withWebhooks(database.open(), temporal);
  using clock = setClock();
  await sealed(store, 'resp_a');
  while (temporal.started.length === 0) await nextTurnOfTheLoop();
  // The mark that it was started is behind this commit.
  await store.probe();
  clock.move(startGraceMs);
  await sweep(store, temporal);
  assert.deepEqual(temporal.started, ['resp_a']);
});

test('what is owed while Temporal is away is found by the sweep of any process, each by itself', async () => {
  await using database = temporaryDatabase();
  const temporal = temporalOf();
  temporal.isAway = true;
  const store = withWebhooks(database.open(), temporal);
  using clock = setClock();
  await sealed(store, 'resp_a');
  await sealed(store, 'resp_b');
  clock.move(startGraceMs);
  const other = database.open();
  assert.equal((await sweep(other, temporal)).errors.length, 2, 'one that fails does not stop the next');
  temporal.isAway = false;
  await sweep(other, temporal);
  await sweep(other, temporal);
  assert.deepEqual(temporal.started.toSorted(), ['resp_a', 'resp_b']);
});

test('what no worker has delivered in three days is given up, and told', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const temporal = temporalOf();
  using clock = setClock();
  await ended(store, 'resp_a', { webhookEvents, chosenId: 'resp_mine' });
  clock.move(giveUpAfterMs);
  const report = { eventId: 'evt_a', event: 'response.cancelled', responseId: 'resp_mine', tenant: 'default' };
  const untried = { ...report, error: 'not_tried', attempts: 0 };
  assert.deepEqual((await sweep(store, temporal)).reports, [{ ...untried, status: 'pending' }], 'there is time left');
  clock.move(giveUpAfterMs);
  assert.deepEqual((await sweep(store, temporal)).reports, [{ ...untried, status: 'given_up' }]);
  await sweep(store, temporal);
  assert.deepEqual([temporal.started, (await store.readWebhook('resp_a'))?.status], [['resp_a'], 'given_up']);
});

test('what nobody has tried for an hour is told, once an hour; what was tried in vain has been told by its worker', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const temporal = temporalOf();
  using clock = setClock();
  await ended(store, 'resp_a', { webhookEvents });
  await ended(store, 'resp_b', { webhookEvents, bodyHash: 'other' });
  clock.move(startGraceMs);
  assert.deepEqual((await sweep(store, temporal)).reports, []);
  await store.noteWebhook('resp_b', { status: 'pending', attempts: 1, lastError: '500' });
  for (let hour = 0; hour < 2; hour += 1) {
    clock.move(startAgainAfterMs);
    const { reports } = await sweep(store, temporal);
    assert.deepEqual(
      reports.map(({ responseId, error }) => [responseId, error]),
      [['resp_a', 'not_tried']],
    );
    assert.deepEqual((await sweep(store, temporal)).reports, []);
  }
  assert.equal(temporal.started.length, 6, 'each is handed over again: Temporal may have lost its run');
});

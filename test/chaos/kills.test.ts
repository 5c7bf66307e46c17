/** Gateways and workers that are processes of their own on one data dir, killed with -9, stopped and continued. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, reset, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { Viewer } from '../support/viewer.ts';

async function session(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/conversations`, { method: 'POST' });
  return ((await response.json()) as { id: string }).id;
}

async function userTexts(url: string, conversation: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/conversations/${conversation}/items?order=asc&limit=100`);
  const { data } = (await response.json()) as { data: { role?: string; content: { text: string }[] }[] };
  return data.filter(({ role }) => role === 'user').map(({ content }) => content.map((part) => part.text).join(''));
}

const options = { timeout: 120_000 };
const held = (name: string): Script => [sseHead, chat.content('Hel'), hold(name), chat.content('lo'), chat.finish(), done, end];

test('T1, T2 · kill -9 of the worker before the first event: another one asks again, and the user said it once', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue([sseHead, chat.role(), stall], chatAnswer('Hello'));
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const conversation = await session(url);
  const viewer = await Viewer.say(url, 'hi', { conversation });
  await cluster.model.nextRequest(1);
  await doomed.kill();
  await cluster.startWorker();
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text, cluster.model.requests.length], ['completed', 'Hello', 2]);
  assert.deepEqual(await userTexts(url, conversation), ['hi']);
  const { messages } = cluster.model.requests[1]!.body as { messages: unknown[] };
  assert.equal(messages.length, 1);
  assert.deepEqual(
    (await cluster.store.readAttempts(viewer.id)).map(({ outcome }) => outcome),
    ['lost', 'completed'],
  );
});

test('T2 · kill -9 of the worker right after the first event: never asked again, the prefix kept', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('never'));
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  await cluster.startWorker();
  // Two workers: which one streams is known by whom the kill stops.
  const viewer = await Viewer.say(url, 'hi');
  await viewer.untilText('Hel');
  await doomed.kill();
  for (const other of cluster.workers.slice(1)) await other.kill();
  await cluster.startWorker();
  await viewer.ended;
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', 'worker_lost']);
  assert.deepEqual(
    viewer.last.response.output.map((item) => [item.status, item.content?.[0]?.text]),
    [['incomplete', 'Hel']],
  );
  assert.equal(cluster.model.requests.length, 1);
});

test('T6 · kill -9 of the worker after the last byte: the turn is completed, and asked for once', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue(chatAnswer('Hello'), chatAnswer('again'));
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const conversation = await session(url);
  const viewer = await Viewer.say(url, 'hi', { conversation });
  await viewer.until((seen) => seen.events.some((event) => event.type === 'response.completed'));
  await doomed.kill();
  await cluster.startWorker();
  await viewer.ended;
  const next = await Viewer.say(url, 'again', { conversation });
  await next.ended;
  assert.deepEqual([viewer.text, next.text, cluster.model.requests.length], ['Hello', 'again', 2]);
  assert.deepEqual(await userTexts(url, conversation), ['hi', 'again']);
});

test('T9 · SIGTERM of the worker in a wait is nobody’s stop: the turn goes on elsewhere', options, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_DRAIN_MS: '0' } });
  // The wait is a second, which may be over before the signal comes: then the worker leaves before the first token.
  const again = [sseHead, chat.role(), hold('again'), ...chatAnswer('Hello').slice(1)];
  cluster.model.enqueue([reset], again, again);
  const { url } = await cluster.startGateway();
  const leaving = await cluster.startWorker();
  const viewer = await Viewer.say(url, 'hi');
  await cluster.model.nextRequest(1);
  leaving.signal('SIGTERM');
  assert.equal(await leaving.ended(), 0);
  cluster.model.release('again');
  await cluster.startWorker();
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello']);
  const attempts = await cluster.store.readAttempts(viewer.id);
  assert.ok(attempts.length <= 3 && cluster.model.requests.length <= attempts.length, 'T3');
});

test('T9 · SIGTERM of the worker mid-stream: a stream may finish within the drain, past it the turn is worker_lost', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue(held('patient'), [sseHead, chat.content('Hel'), stall]);
  const { url } = await cluster.startGateway();
  const patient = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '60000' });
  const first = await Viewer.say(url, 'first');
  await first.untilText('Hel');
  patient.signal('SIGTERM');
  await patient.says(/drain|stopp/i);
  cluster.model.release('patient');
  await first.ended;
  assert.deepEqual([first.last.response.status, first.text], ['completed', 'Hello']);
  assert.equal(await patient.ended(), 0);

  const hasty = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '0' });
  const second = await Viewer.say(url, 'second');
  await second.untilText('Hel');
  hasty.signal('SIGTERM');
  await second.ended;
  assert.deepEqual([second.last.type, second.last.response.error?.code, second.text], ['response.failed', 'worker_lost', 'Hel']);
  assert.equal(await hasty.ended(), 0);
  assert.equal(cluster.model.requests.length, 2);
});

test('T5, T9 · a cancel within the drain of the only worker is carried out, and is answered so', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const { url } = await cluster.startGateway();
  const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '60000' });
  const viewer = await Viewer.say(url, 'hi');
  await viewer.untilText('Hel');
  leaving.signal('SIGTERM');
  await leaving.says(/drain|stopp/i);
  const answer = await fetch(`${url}/v1/responses/${viewer.id}/cancel`, { method: 'POST' });
  assert.deepEqual([answer.status, ((await answer.json()) as { status: string }).status], [200, 'cancelled']);
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['cancelled', 'Hel']);
  assert.equal(await leaving.ended(), 0);
});

test('SIGTERM of a gateway ends with its last answer, though the client keeps its connection', options, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_DRAIN_MS: '600000' } });
  cluster.model.enqueue(held('last'));
  await cluster.startWorker();
  const { role, url } = await cluster.startGateway();
  const viewer = await Viewer.say(url, 'hi');
  await viewer.untilText('Hel');
  role.signal('SIGTERM');
  await role.says(/drain|stopp/i);
  cluster.model.release('last');
  await viewer.ended;
  assert.deepEqual([viewer.isDone, viewer.text], [true, 'Hello']);
  assert.equal(await role.ended(), 0);
});

test('T7 · a worker stopped past its heartbeat and continued is refused by the journal', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue([sseHead, chat.role(), hold('zombie'), chat.content('zombie'), chat.finish(), done, end], chatAnswer('heir'));
  const { url } = await cluster.startGateway();
  const zombie = await cluster.startWorker();
  const viewer = await Viewer.say(url, 'hi');
  await cluster.model.reached('zombie');
  await cluster.stop(zombie);
  await cluster.startWorker();
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'heir']);
  const before = await cluster.store.readJournal(viewer.id);
  zombie.signal('SIGCONT');
  cluster.model.release('zombie');
  // It notices that it was fenced, hangs up, and is of use again.
  const next = await Viewer.say(url, 'next');
  await next.ended;
  assert.deepEqual(await cluster.store.readJournal(viewer.id), before);
  assert.equal(cluster.model.requests.filter((request) => asked(request) === 'hi').length, 2);
});

test('T7 · kill -9 of a gateway while two viewers watch: both resume elsewhere, no byte lost or repeated', options, async () => {
  await using cluster = await startCluster();
  cluster.model.enqueue(held('go'));
  await cluster.startWorker();
  const [doomed, other] = [await cluster.startGateway(), await cluster.startGateway()];
  const viewers = [await Viewer.say(doomed.url, 'hi')];
  viewers.push(await Viewer.open(`${doomed.url}/v1/responses/${viewers[0]!.id}?stream=true`));
  await Promise.all(viewers.map((viewer) => viewer.untilText('Hel')));
  await doomed.role.kill();
  await Promise.all(viewers.map((viewer) => viewer.ended));
  cluster.model.release('go');
  const { id } = viewers[0]!;
  const whole = await Viewer.open(`${other.url}/v1/responses/${id}?stream=true`);
  await whole.ended;
  for (const viewer of viewers) {
    assert.equal(viewer.isDone, false, 'a cut stream does not look like an end');
    const rest = await Viewer.open(`${other.url}/v1/responses/${id}?stream=true&starting_after=${viewer.last.sequence_number}`);
    await rest.ended;
    assert.deepEqual([...viewer.data, ...rest.data], whole.data);
  }
  assert.deepEqual([whole.last.response.status, whole.text], ['completed', 'Hello']);
});

test('T1 · a gateway killed between the turn’s row and Temporal: another one hands the turn over', options, async () => {
  await using cluster = await startCluster();
  const { role, url } = await cluster.startGateway({ TURNKEEP_TASK_QUEUE: 'nobody-polls-this' });
  const conversation = await session(url);
  await role.kill();
  await insertUnsubmitted(cluster, conversation);
  await cluster.startWorker();
  const next = await cluster.startGateway();
  const viewer = await Viewer.open(`${next.url}/v1/responses/resp_orphan?stream=true`);
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello world']);
  assert.deepEqual(await userTexts(next.url, conversation), ['says resp_orphan']);
});

async function insertUnsubmitted(cluster: Cluster, conversation: string): Promise<void> {
  const { newTurn } = await import('../store/contract.ts');
  await cluster.store.insertTurn(newTurn('resp_orphan', { session: conversation }));
}

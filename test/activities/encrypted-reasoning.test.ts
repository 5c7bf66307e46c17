/** What only the provider can read: kept for those who asked for it, shown to nobody, and never a start. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { end, hold, reset, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { sceneOf } from './support.ts';

const asked = { include: ['reasoning.encrypted_content'] };

function thinking(...thoughts: readonly (readonly [encrypted: string, ...summary: string[]])[]): Script {
  const say = new ResponsesWriter();
  return [
    sseHead,
    ...say.begin(),
    ...thoughts.flatMap((each) => say.encryptedReasoning(...each)),
    ...say.text('Hello'),
    ...say.completed(),
    end,
  ];
}

/** The items of the answer as its last event has them. */
function answered(events: readonly ResponseEvent[]): unknown[] {
  const last = events.at(-1);
  assert.ok(last?.type === 'response.completed');
  return last.response.output.map((item) =>
    item.type === 'reasoning' ? [item.summary.map(({ text }) => text).join(), item.encrypted_content ?? null] : item.type,
  );
}

test('it is asked for and kept, with its summary or without, in the order it came', async () => {
  await using at = await sceneOf({ api: 'responses', settings: asked, scripts: [thinking(['E1'], ['E2', 'hm', '!'], ['E3'])] });
  at.setWait();
  assert.deepEqual(await at.attempt(), { status: 'completed', code: null });
  assert.deepEqual(answered(await at.journal()), [['', 'E1'], ['hm!', 'E2'], ['', 'E3'], 'message']);
  assert.match(JSON.stringify(at.model.requests[0]?.body), /"include":\["reasoning.encrypted_content"\]/);
});

test('it is not kept for those who did not ask', async () => {
  await using at = await sceneOf({ api: 'responses', scripts: [thinking(['E1'], ['E2', 'hm'])] });
  await at.attempt();
  const events = await at.journal();
  assert.deepEqual(answered(events), [['hm', null], 'message']);
  assert.doesNotMatch(JSON.stringify(events), /E1|E2/);
});

test('T2 · a step is not started by it: a reset after it is asked again', async () => {
  const say = new ResponsesWriter();
  const sealed = say.encryptedReasoning('E0');
  await using at = await sceneOf({
    api: 'responses',
    settings: asked,
    scripts: [[sseHead, ...say.begin(), ...sealed, hold('sent'), reset], thinking(['E1'])],
  });
  const first = at.attempt().catch((error: unknown) => error);
  await at.model.reached('sent');
  at.model.release('sent');
  assert.match(String(await first), /could not be started/);
  assert.deepEqual(
    (await at.store.readAttempts('resp_a')).map(({ firstEventAtMs }) => firstEventAtMs),
    [undefined],
  );
  at.setWait();
  assert.deepEqual(await at.attempt(), { status: 'completed', code: null });
  assert.deepEqual(answered(await at.journal()), [['', 'E1'], 'message'], 'nothing is left of the first');
  assert.equal(at.model.requests.length, 2);
});

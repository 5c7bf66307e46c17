/** A summary that the model writes is one only when it is whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactionContent } from '../../../src/domain/prompt/compaction.ts';
import type { ModelEvent } from '../../../src/domain/model.ts';
import { defaultSettings } from '../../../src/domain/response/response-settings.ts';
import { compact } from '../../../src/providers/openai/compact.ts';

const said = (text: string): ModelEvent => ({ type: 'delta', delta: { type: 'text', text } });
const finish: ModelEvent = { type: 'finish', finish: { status: 'completed' } };

test('T8 · a model that states its finish with every chunk is heard out: half a summary would take the place of all that was said', async () => {
  const events: ModelEvent[] = [];
  const stream = async function* (): AsyncGenerator<ModelEvent> {
    yield* await Promise.resolve([said('We want'), finish, said(' to build a bridge.'), finish]);
  };
  for await (const event of compact({ settings: defaultSettings('m'), items: [] }, { isOpenAiHost: false, stream })) events.push(event);
  const done = events.flatMap((event) =>
    event.type === 'delta' && event.delta.type === 'opaque' && event.delta.event['type'] === 'response.output_item.done'
      ? [event.delta.event['item']]
      : [],
  );
  assert.equal(done.length, 1);
  assert.match(JSON.stringify(compactionContent(done[0] as never)), /We want to build a bridge\./);
  assert.deepEqual(
    events.filter(({ type }) => type === 'finish'),
    [finish],
  );
  assert.deepEqual(events.at(-1), finish);
});

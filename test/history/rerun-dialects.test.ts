/** What servers of OpenAI's kind really send, run again from its recording: the same journal, to the byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RerunDatabase } from '../../src/history/rerun/scene.ts';
import { rerunTurn } from '../../src/history/rerun/rerun.ts';
import type { ResponseSettings, Tool } from '../../src/domain/response/response-settings.ts';
import { bundleOf } from '../support/bundle.ts';
import { customTools, scriptOf, type Shape, shapes, titleOf } from '../support/dialects.ts';
import { TurnRunner } from '../support/run-turns.ts';

function settingsOf(shape: Shape): Partial<ResponseSettings> {
  const { calls = [] } = shape.becomes;
  const custom = new Set(customTools(shape));
  const names = calls === 'any' ? ['get_weather'] : [...new Set(calls.map(({ name }) => name))];
  const functions = names
    .filter((name) => !custom.has(name))
    .map((name): Tool => ({ type: 'function', name, description: null, parameters: { type: 'object', properties: {} }, strict: false }));
  const { tools = functions, include } = (shape.ask ?? {}) as Partial<Pick<ResponseSettings, 'tools' | 'include'>>;
  return { tools, ...(include === undefined ? {} : { include }) };
}

test(`all ${shapes.length} shapes are the same again`, async () => {
  await using turns = await TurnRunner.open();
  await using database = new RerunDatabase();
  for (const [at, shape] of shapes.entries()) {
    const id = `resp_${at}`;
    const { requests = 1 } = shape.becomes;
    const scripts = Array.from({ length: requests }, () => scriptOf(shape));
    await turns.run({ id, api: shape.api, settings: settingsOf(shape) }, ...scripts);
    const bundle = await bundleOf(turns.store, id);
    assert.equal(bundle.turn.status, shape.becomes.status, titleOf(shape));
    const { outcome, reason, difference } = await rerunTurn(database, bundle);
    assert.deepEqual([outcome, reason, difference], ['same', undefined, undefined], titleOf(shape));
  }
});

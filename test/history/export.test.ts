/** A turn as a bundle, piece by piece. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dispatcher } from '../../src/client/dispatcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { parseBundle } from '../../src/history/bundle.ts';
import { createExporter } from '../../src/history/export-turn.ts';
import { claimed, inserted, newTurn, settle } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

/** @param meanwhile called when Temporal is asked, behind all that the database has */
async function exported({ parts, isRedacted, meanwhile }: { parts: number; isRedacted: boolean; meanwhile?: true }): Promise<string> {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn('resp_a'));
  const { epoch } = await claimed(store, 'resp_a');
  const recording = Array.from({ length: parts }, (_, part) => ({ step: 1, attempt: 1, epoch, part, data: Uint8Array.of(0, part) }));
  await store.append({ turn: 'resp_a', epoch, rows: [], recording });
  await settle(store, 'resp_a');
  const turnkeep = new Turnkeep({ store, dispatcher: {} as Dispatcher });
  const readHistories = async () => {
    if (meanwhile === true) await store.deleteTurn('default', 'resp_a', 9);
    return { missing: 'nobody was asked' };
  };
  const turn = await store.readTurn('resp_a');
  assert.ok(turn !== undefined);
  let text = '';
  for await (const piece of createExporter({ store, turnkeep, readHistories, version: '0.0.0' })(turn, { isRedacted })) text += piece;
  return text;
}

test('T14 · a long recording is read page by page, and is whole in the bundle', async () => {
  const bundle = parseBundle(await exported({ parts: 50, isRedacted: false }), 'it');
  assert.deepEqual(
    bundle.recordings.map(({ part }) => part),
    Array.from({ length: 50 }, (_, part) => part),
  );
  const redacted = parseBundle(await exported({ parts: 50, isRedacted: true }), 'it');
  assert.deepEqual([redacted.recordings, redacted.recordings_left_out], [[], 50]);
});

test('a turn that is deleted while it is exported leaves a file that does not look whole', async () => {
  await assert.rejects(exported({ parts: 1, isRedacted: false, meanwhile: true }), /deleted while it was exported/);
});

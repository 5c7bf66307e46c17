/** Deltas that come faster than events are written share one: nothing of what they say is lost with that. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ClockTape, type Tape } from '../../src/activities/attempt/tape.ts';
import { Recorder } from '../../src/activities/attempt/recorder.ts';
import { JournalWriter } from '../../src/activities/attempt/journal-writer.ts';
import type { ModelDelta } from '../../src/domain/model.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const attempt = { turn: 'resp_a', step: 1, attempt: 1 };

/** The call that these deltas make, all of them at once, and the item that its first event shows. */
async function callOf(
  ...deltas: readonly ModelDelta[]
): Promise<{ readonly begun: object | undefined; readonly whole: object | undefined }> {
  await using database = temporaryDatabase();
  const { store, stream, writer } = await begun(database.open());
  await writer.write({ type: 'text', text: 'Now', item: 'm' });
  // In one tick: none of them is due before the others.
  await Promise.all(deltas.map(async (delta) => writer.write(delta)));
  await writer.flush();
  stream.endStep();
  const events = (await store.readJournal('resp_a')).map(({ data }) => JSON.parse(data) as ResponseEvent);
  const added = events.findLast(({ type }) => type === 'response.output_item.added');
  return { begun: added !== undefined && 'item' in added ? added.item : undefined, whole: stream.response.output.at(-1) };
}

/** An attempt that has said nothing yet. */
async function begun(store: Store, tapeOf: (epoch: number) => Tape = () => new ClockTape()) {
  await store.insertTurn(newTurn('resp_a'));
  const claim = await store.claim({ turn: 'resp_a', step: 1, lease: { holder: 'here', lengthMs: 60_000 } });
  assert.ok(claim.type === 'granted');
  const settings = defaultSettings('m');
  const opening = ResponseStream.open(newResponse({ id: 'resp_a', createdAtMs: 0, settings, session: null, previous: null }));
  const stream = ResponseStream.replay(opening);
  stream.begin();
  const abort = (reason: string): never => assert.fail(reason);
  const shared = { tape: tapeOf(claim.epoch), callsBefore: 0, bytesBefore: 0, maxOutputBytes: 1_000_000, abort };
  const writer = new JournalWriter({ store, turn: claim.turn, epoch: claim.epoch, attempt, stream, ...shared });
  return { store, stream, writer };
}

const call = { type: 'tool_call', item: 'c', callId: 'call_1', name: 'look' } as const;
const members = { namespace: 'files' };

test('T13 · members that a call is told with its last piece are on it, also where that piece shares an event with others', async () => {
  const { whole } = await callOf({ ...call, text: '{"a":' }, { ...call, text: '1}' }, { ...call, text: '', members });
  assert.partialDeepStrictEqual(whole, { type: 'function_call', arguments: '{"a":1}', namespace: 'files' });
});

test('T7 · the event that begins a call has what the call is begun with, and nothing that was told later: it is the same when it is read again', async () => {
  const late = await callOf({ ...call, text: '' }, { ...call, text: '{}', members });
  assert.equal('namespace' in (late.begun ?? {}), false);
  const early = await callOf({ ...call, text: '', members }, { ...call, text: '{}', members: { ...members } });
  assert.partialDeepStrictEqual([early.begun, early.whole], [members, { ...members, arguments: '{}' }]);
});

test('T14 · what is recorded of a long call is written while the call is held back', async () => {
  await using database = temporaryDatabase();
  const never = new AbortController().signal;
  const limits = { maxOutputBytes: 1_000_000, turnTimeoutMs: 60_000, nextSeq: 3 };
  const made: Recorder[] = [];
  const { store, writer } = await begun(database.open(), (epoch) => {
    const recorder = new Recorder({ mode: 'wire', step: 1, attempt: 1, epoch, ...limits, signal: never, steered: never });
    made.push(recorder);
    return recorder;
  });
  await writer.hold({ ...call, text: '{' });
  const rows = (await store.readJournal('resp_a')).length;
  for (let chunk = 0; chunk < 8; chunk += 1) {
    made[0]?.wire.read(randomBytes(65_536));
    await writer.hold({ ...call, text: ' ' });
  }
  assert.ok((await store.readRecordings('resp_a')).length > 4);
  assert.equal((await store.readJournal('resp_a')).length, rows, 'and nothing of the call is shown');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readToolResult } from '../../src/store/tool-result.ts';
import type { ResultPiece } from '../../src/store/ports/tool-calls.ts';

const call = { turn: 'resp_a', number: 0 };

/** A store that has this result, and counts how often it is asked. */
function storeOf(result: string) {
  const bytes = new TextEncoder().encode(result);
  const store = {
    asked: 0,
    isThere: true,
    readToolResult: async (_call: unknown, { offset, limit }: { offset: number; limit: number }): Promise<ResultPiece | undefined> => {
      store.asked += 1;
      return store.isThere ? { bytes: bytes.slice(offset, offset + limit), total: bytes.length } : undefined;
    },
  };
  return store;
}

test('T12 · T14 · a result of any length is read a piece at a time, each when it is asked for', async () => {
  const whole = 'ä'.repeat(1_300_000);
  const store = storeOf(whole);
  const result = await readToolResult(store, call);
  assert.deepEqual([result?.totalBytes, store.asked], [2_600_000, 1]);
  const pieces: Uint8Array[] = [];
  for await (const piece of result?.pieces ?? []) {
    pieces.push(piece);
    assert.equal(store.asked, pieces.length, 'none is read ahead');
    assert.ok(piece.length <= 1_048_576);
  }
  assert.equal(Buffer.concat(pieces).toString(), whole);
  assert.equal(pieces.length, 3);
});

test('a result of nothing is one, of a call that came to nothing there is none, and one that goes meanwhile is not whole', async () => {
  const empty = await readToolResult(storeOf(''), call);
  const read = async (of: typeof empty): Promise<number> => {
    let bytes = 0;
    for await (const { length } of of?.pieces ?? []) bytes += length;
    return bytes;
  };
  assert.deepEqual([empty?.totalBytes, await read(empty)], [0, 0]);
  const store = storeOf('a'.repeat(2_000_000));
  const cut = await readToolResult(store, call);
  store.isThere = false;
  assert.equal(await readToolResult(store, call), undefined);
  await assert.rejects(read(cut), /gone/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import type { TurnOutcome } from '../../src/domain/turn/turn-outcome.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { sealOf } from '../../src/settle/seal.ts';
import { newTurn } from '../store/contract.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings: newTurn('x').settings, session: null, previous: null });

test('T5 · an end that the provider gave wins over an accepted cancel; a failure, and an end by a steer, do not', () => {
  const ends: readonly [TurnOutcome, boolean][] = [
    [{ status: 'completed', usage: null }, true],
    [{ status: 'incomplete', reason: 'max_output_tokens', usage: null }, true],
    [{ status: 'cancelled', usage: null }, true],
    [{ status: 'incomplete', reason: 'steered', usage: null }, false],
    [{ status: 'failed', failure: failureOf('stream_interrupted'), usage: null }, false],
  ];
  for (const [outcome, wins] of ends) {
    const stream = ResponseStream.replay(ResponseStream.open(response));
    stream.begin();
    const turn = { id: 'turn', isStored: true, settings: newTurn('x').settings } as TurnRow;
    assert.equal(sealOf(turn, stream, 1, outcome, 9_000).winsOverCancel, wins, JSON.stringify(outcome));
  }
});

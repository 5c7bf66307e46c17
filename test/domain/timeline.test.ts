import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../src/domain/response-settings.ts';
import type { Usage } from '../../src/domain/response.ts';
import { timelineOf } from '../../src/domain/timeline.ts';
import type { AttemptRow } from '../../src/domain/attempt.ts';
import type { TurnRow } from '../../src/domain/turn.ts';

const tokens = (input: number, output: number): Usage => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: 1 },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: input + output,
});

const turn = (status: TurnRow['status'], usage: Usage | null): TurnRow => ({
  id: 'resp_a',
  tenant: 'default',
  kind: 'response',
  session: null,
  previous: null,
  replaces: null,
  status,
  settings: defaultSettings('m'),
  input: [],
  bodyHash: '',
  createdAtMs: 0,
  isStored: true,
  readyAtMs: 0,
  isDispatched: true,
  isRecorded: true,
  cancelRequestedAtMs: null,
  settledAtMs: 9,
  erasedBy: null,
  errorCode: null,
  retryAtMs: null,
  usage,
  response: null,
  workflowId: 'turn/resp_a',
  runId: 'run',
});

const attempt = (attempt: number, outcome: AttemptRow['outcome'], usage?: Usage): AttemptRow => ({
  turn: 'resp_a',
  step: 1,
  attempt,
  requestedAtMs: 0,
  ...(outcome === undefined ? {} : { outcome }),
  ...(usage === undefined ? {} : { usage }),
});

const none = { ...tokens(0, 0), input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } };
const rows: readonly [title: string, TurnRow, readonly AttemptRow[], usage: Usage | null, lost: Usage | null][] = [
  ['nothing is lost where nothing failed', turn('completed', tokens(3, 4)), [attempt(1, 'completed', tokens(3, 4))], tokens(3, 4), none],
  [
    'what failed attempts cost is lost, all of it',
    turn('completed', tokens(3, 4)),
    [attempt(1, 'failed', tokens(10, 0)), attempt(2, 'lost', tokens(5, 6)), attempt(3, 'completed', tokens(3, 4))],
    tokens(3, 4),
    { ...tokens(15, 6), input_tokens_details: { cached_tokens: 2 }, output_tokens_details: { reasoning_tokens: 4 } },
  ],
  [
    'one that did not say makes the sum unknown, not smaller',
    turn('completed', tokens(3, 4)),
    [attempt(1, 'failed'), attempt(2, 'failed', tokens(5, 6)), attempt(3, 'completed', tokens(3, 4))],
    tokens(3, 4),
    null,
  ],
  ['a failed turn has lost all it cost', turn('failed', tokens(3, 4)), [attempt(1, 'failed', tokens(3, 4))], null, tokens(3, 4)],
  ['what was stopped was not lost', turn('cancelled', tokens(3, 1)), [attempt(1, 'cancelled', tokens(3, 1))], tokens(3, 1), none],
];

for (const [title, row, attempts, usage, lostUsage] of rows) {
  test(title, () => {
    const report = timelineOf(row, attempts) as { usage: unknown; lostUsage: unknown };
    assert.deepEqual([report.usage, report.lostUsage], [usage, lostUsage]);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { Usage } from '../../src/domain/response/response.ts';
import type { ToolCallRow } from '../../src/domain/agents/tool-call.ts';
import { timelineEvents } from '../../src/domain/turn/timeline-events.ts';
import { timelineOf } from '../../src/domain/turn/timeline.ts';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';

const tokens = (input: number, output: number): Usage => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: 1 },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: input + output,
});

const turn = (status: TurnRow['status'], usage: Usage | null): TurnRow => ({
  id: 'resp_a',
  publicId: 'resp_a',
  tenant: 'default',
  kind: 'response',
  session: null,
  previous: null,
  replaces: null,
  parent: null,
  status,
  settings: defaultSettings('m'),
  inputCount: 0,
  bringsOutputs: false,
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
  workflowId: 'turn/resp_a',
  ownerRunId: null,
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
  ['a failed turn has lost all it cost', turn('failed', null), [attempt(1, 'failed', tokens(3, 4))], null, tokens(3, 4)],
  [
    'a failed turn of several steps has lost what the last one cost',
    turn('failed', tokens(3, 4)),
    [attempt(1, 'completed', tokens(3, 4)), { ...attempt(1, 'failed', tokens(5, 6)), step: 2 }],
    tokens(3, 4),
    tokens(5, 6),
  ],
  ['what was stopped was not lost', turn('cancelled', tokens(3, 1)), [attempt(1, 'cancelled', tokens(3, 1))], tokens(3, 1), none],
];

for (const [title, row, attempts, usage, lostUsage] of rows) {
  test(title, () => {
    const report = timelineOf({ toolCalls: [], turn: row, attempts }) as { usage: unknown; lost_usage: unknown };
    assert.deepEqual([report.usage, report.lost_usage], [usage, lostUsage]);
  });
}

test('the step behind one whose prompt was too long is the compaction', () => {
  const attempts = [
    { ...attempt(1, 'failed'), code: 'context_length_exceeded' as const },
    { ...attempt(1, 'completed'), step: 2 },
    { ...attempt(1, 'completed'), step: 3 },
  ];
  const { steps } = timelineOf({ toolCalls: [], turn: turn('completed', null), attempts }) as { steps: { kind: string }[] };
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['model', 'compaction', 'model'],
  );
});

test('where the price of the model is known, what its tokens cost is said', () => {
  const price = { input: 100_000, output: 1_000_000 };
  const row = turn('completed', tokens(3, 4));
  const priced = { ...row, settings: { ...row.settings, budget: { turn: {}, session: {}, price } } };
  const attempts = [attempt(1, 'failed', tokens(10, 1)), attempt(2, 'completed', tokens(3, 4))];
  const report = timelineOf({ toolCalls: [], turn: priced, attempts }) as { usage: unknown; lost_usage: unknown };
  assert.deepEqual(report.usage, { ...tokens(3, 4), cost_usd: 4.3 });
  assert.deepEqual(report.lost_usage, { ...tokens(10, 1), cost_usd: 2 });
});

test('GET /turns/{id} has the keys of the contract, and says nothing of what has not happened', () => {
  const failed: TurnRow = {
    ...turn('failed', null),
    id: 'resp_own',
    publicId: 'resp_chosen',
    session: 'conv_a',
    errorCode: 'provider_busy',
    retryAtMs: 5_000,
    workflowId: 'turn/resp_own',
  };
  const requests: readonly AttemptRow[] = [
    { ...attempt(1, 'failed'), endedAtMs: 1_000, code: 'transport_failed', detail: 'ECONNRESET', waitMs: 1_000, holder: 'one' },
    { ...attempt(2, undefined), requestedAtMs: 2_000, firstEventAtMs: 3_000, providerRequestId: 'req_1', holder: 'two' },
  ];
  assert.deepEqual(timelineOf({ toolCalls: [], turn: failed, attempts: requests, temporalUi: 'http://ui/namespaces/default' }), {
    id: 'resp_chosen',
    session: 'conv_a',
    status: 'failed',
    model: 'm',
    error: { code: 'provider_busy', message: 'The model provider is busy.' },
    workflow_id: 'turn/resp_own',
    run_id: 'run',
    created_at: '1970-01-01T00:00:00.000Z',
    ready_at: '1970-01-01T00:00:00.000Z',
    settled_at: '1970-01-01T00:00:00.009Z',
    journal: null,
    viewers: [],
    steps: [
      {
        step: 1,
        kind: 'model',
        started: true,
        attempts: [
          {
            attempt: 1,
            requested_at: '1970-01-01T00:00:00.000Z',
            ended_at: '1970-01-01T00:00:01.000Z',
            phase: 'requested',
            outcome: 'failed',
            code: 'transport_failed',
            detail: 'ECONNRESET',
            wait_ms: 1_000,
            worker: 'one',
          },
          {
            attempt: 2,
            requested_at: '1970-01-01T00:00:02.000Z',
            first_event_at: '1970-01-01T00:00:03.000Z',
            ended_at: null,
            phase: 'started',
            outcome: 'running',
            provider_request_id: 'req_1',
            worker: 'two',
          },
        ],
      },
    ],
    usage: null,
    lost_usage: null,
    retry_at: '1970-01-01T00:00:05.000Z',
    output: null,
    links: { response: '/v1/responses/resp_chosen', temporal: 'http://ui/namespaces/default/workflows/turn%2Fresp_own/run/history' },
  });
});

test('a call of a tool shows each of its runs, and where all that it came to is', () => {
  const call = { turn: 'resp_own', step: 2, position: 0, serverLabel: 'turnkeep', name: 'pay', arguments: '{}' };
  const toolCalls: readonly ToolCallRow[] = [
    {
      ...call,
      number: 0,
      origin: { call_id: 'c1', step: 1 },
      runs: 2,
      startedAtMs: 3_000,
      endedAtMs: 4_000,
      outcome: 'completed',
      attempts: [
        { startedAtMs: 1_000, endedAtMs: 3_000, outcome: 'lost', holder: 'one' },
        { startedAtMs: 3_000, endedAtMs: 4_000, outcome: 'completed', holder: 'two' },
      ],
    },
    { ...call, number: 1, origin: { call_id: 'c2', step: 1 }, runs: 1, startedAtMs: 1_000, attempts: [{ startedAtMs: 1_000 }] },
    { ...call, number: 2, origin: { call_id: 'c3', step: 1 }, runs: 0, endedAtMs: 9_000, outcome: 'cut_off' },
  ];
  const { steps } = timelineOf({ toolCalls, turn: { ...turn('in_progress', null), publicId: 'resp_chosen' }, attempts: [] }) as {
    steps: { calls: { attempts: unknown; result?: string }[] }[];
  };
  const at = (second: number): string => `1970-01-01T00:00:0${second}.000Z`;
  assert.deepEqual(
    steps[0]?.calls.map(({ attempts, result }) => [attempts, result]),
    [
      [
        [
          { attempt: 1, started_at: at(1), ended_at: at(3), outcome: 'lost', worker: 'one' },
          { attempt: 2, started_at: at(3), ended_at: at(4), outcome: 'completed', worker: 'two' },
        ],
        '/turns/resp_chosen/calls/0',
      ],
      [[{ attempt: 1, started_at: at(1), ended_at: null, outcome: 'running' }], undefined],
      [[], undefined],
    ],
  );
});

test('an attempt says under which id its provider keeps the answer, and when it was read on', () => {
  const kept: AttemptRow = {
    ...attempt(1, 'completed', tokens(3, 4)),
    keptResponse: { id: 'resp_p', after: 2 },
    reattachments: [
      { atMs: 1_000, after: 7, reason: 'ECONNRESET' },
      { atMs: 2_000, reason: 'worker_lost' },
    ],
  };
  const { steps } = timelineOf({ turn: turn('completed', tokens(3, 4)), attempts: [kept], toolCalls: [] }) as {
    readonly steps: readonly { readonly attempts: readonly Record<string, unknown>[] }[];
  };
  const [shown] = steps[0]?.attempts ?? [];
  assert.deepEqual(
    [shown?.['provider_response_id'], shown?.['reattached']],
    [
      'resp_p',
      [
        { at: '1970-01-01T00:00:01.000Z', after: 7, reason: 'ECONNRESET' },
        { at: '1970-01-01T00:00:02.000Z', reason: 'worker_lost' },
      ],
    ],
  );
});

test('the moments of an attempt are told in the order in which they happened, also where the clocks that tell of them disagree', () => {
  const attempt: AttemptRow = {
    turn: 'resp_a',
    step: 1,
    attempt: 1,
    requestedAtMs: 100,
    endedAtMs: 140,
    outcome: 'completed',
    // The database's clock is 10 ms behind the worker's.
    firstEventAtMs: 115,
    facts: { sentAtMs: 110, headersAtMs: 120, finishedAtMs: 139 },
  };
  const events = timelineEvents({ turn: { ...turn('completed', null), settledAtMs: 138 }, attempts: [attempt], toolCalls: [] });
  assert.deepEqual(
    events.map((event) => (event as { readonly type: string }).type),
    ['accepted', 'ready', 'requested', 'sent', 'headers', 'first_event', 'finished', 'attempt_ended', 'settled'],
  );
  assert.deepEqual((events[5] as { readonly at: string }).at, new Date(115).toISOString(), 'the time stays what was told');
});

test('a turn is accepted before it is ready, and its requests follow each other, whatever the clocks say', () => {
  const attempt = (number: number, requestedAtMs: number, finishedAtMs: number, endedAtMs: number): AttemptRow => ({
    turn: 'resp_a',
    step: 1,
    attempt: number,
    requestedAtMs,
    endedAtMs,
    outcome: number === 2 ? 'completed' : 'failed',
    facts: { finishedAtMs },
  });
  const accepted = { ...turn('completed', null), createdAtMs: 103, readyAtMs: 100, settledAtMs: 150 };
  // The database's clock is 10 ms behind the process'.
  const attempts = [attempt(1, 101, 122, 114), attempt(2, 116, 145, 140)];
  assert.deepEqual(
    timelineEvents({ turn: accepted, attempts, toolCalls: [] }).map((event) => (event as { readonly type: string }).type),
    ['accepted', 'ready', 'requested', 'finished', 'attempt_ended', 'requested', 'finished', 'attempt_ended', 'settled'],
  );
});

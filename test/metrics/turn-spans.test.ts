/** The trace of each kind of turn, by what the database has of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import type { ToolCallRow } from '../../src/domain/agents/tool-call.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { requestSpan } from '../../src/metrics/traces/request-span.ts';
import { placeOf, placeOfHeader, type TraceSpan } from '../../src/metrics/traces/span.ts';
import { spansOf, type TurnFacts } from '../../src/metrics/traces/turn-spans.ts';
import { turnRow } from '../support/turn-row.ts';

const ended: Partial<TurnRow> = {
  status: 'completed',
  createdAtMs: 1_000,
  readyAtMs: 1_000,
  settledAtMs: 9_000,
  workflowId: 'turnkeep-resp_a',
  runId: 'run',
};

function spans(turn: Partial<TurnRow>, more: Partial<Omit<TurnFacts, 'turn'>> = {}): readonly TraceSpan[] {
  return spansOf({
    turn: turnRow({ ...ended, ...turn }),
    attempts: [],
    calls: [],
    childIdOf: ({ turn: id, number }) => `resp_${id}_${number}`,
    ...more,
  });
}

function attempt(fields: Partial<AttemptRow> = {}): AttemptRow {
  return { turn: 'resp_a', step: 1, attempt: 1, requestedAtMs: 1_100, endedAtMs: 2_000, outcome: 'completed', holder: 'one', ...fields };
}

function call(fields: Partial<ToolCallRow> = {}): ToolCallRow {
  return {
    turn: 'resp_a',
    number: 0,
    step: 2,
    position: 0,
    runs: 1,
    serverLabel: 'turnkeep',
    name: 'mail',
    arguments: '{"to":"ann"}',
    origin: { call_id: 'c1', step: 1 },
    startedAtMs: 2_100,
    attempts: [{ startedAtMs: 2_100, endedAtMs: 2_200, outcome: 'completed', holder: 'one' }],
    ...fields,
  };
}

/** Names, each below its parent. */
function tree(all: readonly TraceSpan[], parent?: string): readonly string[] {
  return all
    .filter(({ parentId }) => parentId === parent)
    .flatMap((span) => [span.name, ...tree(all, span.spanId).map((line) => `  ${line}`)]);
}

function named(all: readonly TraceSpan[], name: string): TraceSpan {
  const span = all.find((each) => each.name === name);
  assert.ok(span, `${name} is among ${all.map((each) => each.name).join(', ')}`);
  return span;
}

const run = ['  RunWorkflow:agentTurn', '    RunActivity:streamModel'];

const kinds: readonly (readonly [string, Partial<TurnRow>, Partial<Omit<TurnFacts, 'turn'>>, readonly string[]])[] = [
  ['one that was cancelled before it ran', { status: 'cancelled', workflowId: null, runId: null, readyAtMs: null }, {}, []],
  ['one whose workflow never asked', { status: 'failed', errorCode: 'internal_error' }, {}, ['  RunWorkflow:agentTurn']],
  ['one request', {}, { attempts: [attempt()] }, [...run, '      chat scripted']],
  ['one whose head start was all', { workflowId: null, runId: null }, { attempts: [attempt()] }, [...run, '      chat scripted']],
  [
    'one that was asked for again',
    {},
    { attempts: [attempt({ outcome: 'failed', code: 'provider_busy' }), attempt({ attempt: 2 })] },
    [...run, '      chat scripted', '      chat scripted'],
  ],
  [
    'one with a tool that was run twice',
    {},
    {
      attempts: [attempt(), attempt({ step: 2 })],
      calls: [call({ attempts: [{ startedAtMs: 2_100, endedAtMs: 2_200, outcome: 'lost' }, { startedAtMs: 2_300 }] })],
    },
    [
      ...run,
      '      chat scripted',
      '    RunActivity:streamModel',
      '      execute_tool mail',
      '      execute_tool mail',
      '      chat scripted',
    ],
  ],
  [
    'one whose call was never begun',
    {},
    { attempts: [attempt()], calls: [{ ...call({ runs: 0, attempts: [] }), startedAtMs: undefined } as unknown as ToolCallRow] },
    [...run, '      chat scripted'],
  ],
  [
    "one in a workflow of somebody's own",
    { ownerRunId: 'theirs' },
    { attempts: [attempt()] },
    ['  agentTurn', '    RunActivity:streamModel', '      chat scripted'],
  ],
];

for (const [title, turn, facts, below] of kinds) {
  test(`a trace of ${title}`, () => {
    const all = spans(turn, facts);
    assert.deepEqual(tree(all), ['invoke_agent scripted', ...below]);
    assert.equal(new Set(all.map(({ traceId }) => traceId)).size, 1);
    assert.equal(new Set(all.map(({ spanId }) => spanId)).size, all.length, 'each has an id of its own');
    for (const { startMs, endMs } of all) assert.ok(endMs >= startMs);
  });
}

test('a turn that has no end has no trace', () => {
  assert.deepEqual(spans({ status: 'in_progress', settledAtMs: null }), []);
});

test('whoever makes the trace of a turn makes the same one; another tenant has another', () => {
  assert.deepEqual(spans({}, { attempts: [attempt()] }), spans({}, { attempts: [attempt()] }));
  const { traceId } = placeOf({ tenant: 'default', publicId: 'resp_a' });
  assert.equal(spans({})[0]?.traceId, traceId);
  assert.notEqual(placeOf({ tenant: 'bob', publicId: 'resp_a' }).traceId, traceId);
  assert.match(traceId, /^[0-9a-f]{32}$/);
});

test('what a request came to: its tokens, its first chunk in seconds, why it was lost', () => {
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 15,
  };
  const all = spans(
    { session: 'conv_1', usage },
    {
      attempts: [
        attempt({ outcome: 'failed', code: 'provider_busy', detail: '429', waitMs: 500, message: 'words of the provider' }),
        attempt({ attempt: 2, firstEventAtMs: 1_350, usage, providerRequestId: 'req_1' }),
      ],
    },
  );
  const [first, second] = all.filter(({ name }) => name === 'chat scripted');
  assert.ok(first && second);
  assert.deepEqual(
    [first.attributes['error.type'], first.error, first.events?.map(({ name }) => name)],
    ['provider_busy', 'provider_busy 429', ['asked again']],
  );
  const { attributes } = second;
  assert.deepEqual(
    [
      attributes['gen_ai.usage.input_tokens'],
      attributes['gen_ai.usage.cache_read.input_tokens'],
      attributes['gen_ai.usage.output_tokens'],
      attributes['gen_ai.usage.reasoning.output_tokens'],
      attributes['gen_ai.response.time_to_first_chunk'],
      attributes['gen_ai.conversation.id'],
      attributes['turnkeep.provider_request_id'],
      second.kind,
      second.error,
    ],
    [10, 4, 5, 2, 0.25, 'conv_1', 'req_1', 'client', undefined],
  );
  assert.ok(!JSON.stringify(all).includes('words of the provider'));
});

test('a request whose process is gone, and that nobody has closed, ends with its turn', () => {
  const { turn, step, requestedAtMs } = attempt();
  const lost = named(
    spans({ status: 'failed', errorCode: 'worker_lost' }, { attempts: [{ turn, step, attempt: 1, requestedAtMs }] }),
    'chat scripted',
  );
  assert.equal(lost.endMs, 9_000);
});

test('links: to the turn before, to the turn that called it, and from a call to the turn that carried it out', () => {
  const root = spans(
    { parent: { turn: 'resp_p', number: 1 } },
    { parent: { id: 'resp_p', publicId: 'resp_p' }, previous: { publicId: 'resp_o' } },
  )[0];
  assert.deepEqual(root?.links, [
    { ...placeOf({ tenant: 'default', publicId: 'resp_p' }), relation: 'parent' },
    { ...placeOf({ tenant: 'default', publicId: 'resp_o' }), relation: 'previous' },
  ]);
  const asked = named(spans({}, { calls: [call({ serverLabel: 'agent', name: 'helper' })] }), 'execute_tool helper');
  assert.deepEqual(asked.links, [{ ...placeOf({ tenant: 'default', publicId: 'resp_resp_a_0' }), relation: 'child' }]);
});

test('what was said is in the spans only where it is given', () => {
  const facts = { attempts: [attempt()], calls: [call()] };
  assert.ok(!JSON.stringify(spans({}, facts)).includes('ann'));
  const content = { input: '[1]', output: '[2]', instructions: 'Be brief.', results: new Map([[0, 'sent']]) };
  const all = spans({}, { ...facts, content });
  assert.equal(named(all, 'invoke_agent scripted').attributes['gen_ai.input.messages'], '[1]');
  const { attributes } = named(all, 'execute_tool mail');
  assert.deepEqual([attributes['gen_ai.tool.call.arguments'], attributes['gen_ai.tool.call.result']], ['{"to":"ann"}', 'sent']);
});

const header = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const request = { requestId: 'r', method: 'GET', route: '/v1/responses/:id', status: 200, durationMs: 5, isStream: false, isCut: false };
const about = { ...request, tenant: 'default', responseId: 'resp_a' };

test("a request is in its client's trace, and linked to the turn; else in the turn's; else alone", () => {
  const turn = placeOf({ tenant: 'default', publicId: 'resp_a' });
  const joined = requestSpan({ ...about, traceparent: header }, 1_000);
  assert.deepEqual([joined.traceId, joined.parentId, joined.links], ['a'.repeat(32), 'b'.repeat(16), [{ ...turn, relation: 'turn' }]]);
  const own = requestSpan(about, 1_000);
  assert.deepEqual([own.traceId, own.parentId, own.links, own.startMs], [turn.traceId, turn.spanId, [], 995]);
  const alone = requestSpan({ ...request, status: 500 }, 1_000);
  assert.deepEqual([alone.parentId, alone.error, alone.attributes['error.type']], [undefined, '500', '500']);
});

for (const [why, value] of [
  ['is missing', undefined],
  ['is not one', 'hello'],
  ['has an id of zeros', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`],
  ['is not to be recorded', header.replace(/01$/, '00')],
] as const) {
  test(`a traceparent that ${why} names no place`, () => {
    assert.equal(placeOfHeader(value), undefined);
  });
}

/** What the page makes of a report and of events, before anything is drawn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TurnReport } from '../../src/web/api/types.ts';
import { LiveItems } from '../../src/web/conversation/shown-item.ts';
import { timelineOf } from '../../src/web/timeline/parts.ts';

const at = (ms: number): string => new Date(ms).toISOString();

function report(fields: Partial<TurnReport>): TurnReport {
  const ids = { id: 'resp_a', session: null, model: 'm', workflow_id: null, run_id: null };
  const rest = { error: null, usage: null, lost_usage: null, output: null, links: { response: '' } };
  return { ...ids, ...rest, status: 'completed', created_at: at(0), settled_at: at(1_000), steps: [], ...fields };
}

test('a timeline has what a turn waited for, each request, and the wait between two, on one scale', () => {
  const first = { attempt: 1, requested_at: at(100), ended_at: at(200), outcome: 'failed', code: 'transport_failed', wait_ms: 500 };
  const second = { attempt: 2, requested_at: at(710), first_event_at: at(800), ended_at: at(990), outcome: 'completed' };
  const { parts, totalMs } = timelineOf(report({ steps: [{ kind: 'model', started: true, attempts: [first, second] }] }), 5_000);
  assert.equal(totalMs, 1_000);
  assert.deepEqual(
    parts.map(({ kind, fromMs, untilMs, firstEventMs }) => [kind, fromMs, untilMs, firstEventMs]),
    [
      ['queue', 0, 100, undefined],
      ['request', 100, 200, undefined],
      ['wait', 200, 710, undefined],
      ['request', 710, 990, 800],
    ],
  );
});

test('what goes on is drawn up to now, and a wait no further than the end of its turn', () => {
  const running = { attempt: 1, requested_at: at(0), ended_at: null, outcome: 'running' };
  const open = timelineOf(
    report({ status: 'in_progress', settled_at: null, steps: [{ kind: 'model', started: false, attempts: [running] }] }),
    700,
  );
  assert.deepEqual([open.totalMs, open.parts.map(({ untilMs }) => untilMs)], [700, [700]]);
  const failed = { attempt: 1, requested_at: at(0), ended_at: at(400), outcome: 'failed', wait_ms: 2_000 };
  const cut = timelineOf(report({ status: 'cancelled', steps: [{ kind: 'model', started: false, attempts: [failed] }] }), 9_000);
  assert.deepEqual(
    cut.parts.map(({ kind, untilMs }) => [kind, untilMs]),
    [
      ['request', 400],
      ['wait', 1_000],
    ],
  );
});

test('an answer under way is put together from its events: parts by their index, a call with its arguments and result', () => {
  const items = new LiveItems('resp_a');
  const message = { id: 'msg_1', type: 'message', status: 'in_progress' };
  const events = [
    { type: 'response.created', response: { id: 'resp_a' } },
    { type: 'response.output_item.added', item: { id: 'rs_1', type: 'reasoning' } },
    { type: 'response.reasoning_summary_text.delta', item_id: 'rs_1', summary_index: 0, delta: 'first' },
    { type: 'response.reasoning_summary_text.delta', item_id: 'rs_1', summary_index: 1, delta: 'second' },
    { type: 'response.output_item.added', item: { id: 'mcp_1', type: 'mcp_call', name: 'echo', server_label: 'turnkeep', arguments: '' } },
    { type: 'response.mcp_call_arguments.done', item_id: 'mcp_1', arguments: '{"a":1}' },
    { type: 'response.output_item.done', item: { id: 'mcp_1', type: 'mcp_call', status: 'completed', output: 'echo' } },
    { type: 'response.output_item.added', item: message },
    { type: 'response.output_text.delta', item_id: 'msg_1', content_index: 0, delta: 'Hel' },
    { type: 'response.output_text.delta', item_id: 'msg_1', content_index: 0, delta: 'lo' },
    { type: 'response.output_text.delta', item_id: 'msg_unknown', content_index: 0, delta: 'nothing' },
    { type: 'response.output_item.done', item: { ...message, status: 'completed' } },
  ];
  assert.deepEqual(
    events.map((event) => items.add(event)),
    [false, true, true, true, true, true, true, true, true, true, false, true],
  );
  assert.deepEqual(
    items.all.map(({ type, turn, text, name, arguments: args, output, status }) => [type, turn, text, name, args, output, status]),
    [
      ['reasoning', 'resp_a', 'first\n\nsecond', undefined, undefined, undefined, undefined],
      ['mcp_call', 'resp_a', '', 'echo', '{"a":1}', 'echo', 'completed'],
      ['message', 'resp_a', 'Hello', undefined, undefined, undefined, 'completed'],
    ],
  );
});

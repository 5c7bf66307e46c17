import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallOrigin, type Item, type OpaqueItem, textOf, toolOutputText, type WorkerCallItem } from '../../src/domain/item.ts';
import { promptOf, type TranscriptTurn } from '../../src/domain/prompt/prompt.ts';
import { withWorkerCalls } from '../../src/domain/prompt/prompt-worker-calls.ts';
import { cutOff, endedCall, newApprovalRequest, newWorkerCall, type WorkerCallEnd } from '../../src/domain/agents/worker-call.ts';

const done = (output: string): WorkerCallEnd => ({ status: 'completed', output });
const refused = (message: string): WorkerCallEnd => ({ status: 'failed', message });
const stopped: WorkerCallEnd = { status: 'incomplete' };

interface Call {
  readonly step?: number;
  readonly origin?: Partial<CallOrigin>;
  /** The request that it was approved by. */
  readonly approved?: string;
}

const workerCall = (id: string, { step = 1, origin, approved }: Call) => ({
  serverLabel: 'files',
  name: 'read',
  arguments: `{"path":"${id}"}`,
  origin: { call_id: id, step, ...origin },
  ...(approved === undefined ? {} : { approvalRequestId: approved }),
});
function worker(id: string, end: WorkerCallEnd, call: Call = {}): WorkerCallItem {
  const given = workerCall(id, call);
  return endedCall({ ...newWorkerCall('resp_a', 0, given), id: `mcp_${id}`, arguments: given.arguments }, end);
}
function ask(id: string, call: Call = {}): Item {
  return { ...newApprovalRequest('resp_a', 0, workerCall(id, call)), id: `mcpr_${id}` };
}
function answer(id: string, approve: boolean, reason?: string): Item {
  return { id: `item_${id}`, type: 'mcp_approval_response', approval_request_id: `mcpr_${id}`, approve, reason } as unknown as OpaqueItem;
}
function user(text: string): Item {
  return { id: `msg_${text}`, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text }] };
}
function assistant(text: string): Item {
  const content = [{ type: 'output_text', text, annotations: [], logprobs: [] } as const];
  return { id: `msg_${text}`, type: 'message', status: 'completed', role: 'assistant', content };
}
function thought(text: string): Item {
  return { id: `rs_${text}`, type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text }] };
}
function clients(call_id: string): Item {
  return { id: `fc_${call_id}`, type: 'function_call', status: 'completed', call_id, name: 'look', arguments: '{}' };
}
function out(call_id: string, output: string): Item {
  return { id: `fco_${call_id}`, type: 'function_call_output', status: 'completed', call_id, output };
}

function turn(input: readonly Item[], said: readonly Item[] = [], fields: Partial<TranscriptTurn> = {}): TranscriptTurn {
  return { status: 'completed', errorCode: null, model: 'm', items: [...input, ...said], inputCount: input.length, ...fields };
}

function shown(item: Item): string {
  switch (item.type) {
    case 'message':
      return `${item.role}: ${textOf(item)}`;
    case 'function_call':
      return `${item.name} ${item.call_id}${item.provider_fields === undefined ? '' : ' signed'}`;
    case 'function_call_output':
      return `${item.call_id} gave ${toolOutputText(item)}`;
    case 'reasoning':
      return `thought ${item.summary[0]?.text ?? ''}`;
    case 'custom_tool_call':
    case 'custom_tool_call_output':
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default:
      return `${item.type} ${item.id}`;
  }
}

/** What the model is told, of what came before the input and the steps of this turn so far. */
function told(turns: readonly TranscriptTurn[], input: readonly Item[], said: readonly Item[] = []): string[] {
  return promptOf(turns, input, 'm', said).map(shown);
}

test('calls are told by the steps in which they were made, with their outputs behind each', () => {
  const said = [
    thought('first'),
    worker('a', done('A')),
    worker('b', refused('no such file')),
    thought('second'),
    worker('c', done('C'), { step: 2 }),
    worker('d', done('D'), { step: 3 }),
  ];
  const expected = [
    'user: go',
    'thought first',
    'read a',
    'read b',
    'a gave A',
    'b gave Error: no such file',
    'thought second',
    'read c',
    'c gave C',
    'read d',
    'd gave D',
  ];
  assert.deepEqual(told([], [user('go')], said), expected);
  const past = turn([user('go')], [...said, assistant('so')]);
  assert.deepEqual(told([past], [user('more')]), [...expected, 'assistant: so', 'user: more'], 'and so in every later turn');
});

test('a call is told as the model made it: by its function, with its arguments and what its provider wants to see again', () => {
  const origin = { function: 'files_read', provider_fields: { signature: 'S' } };
  const [call, output] = promptOf([], [], 'm', [worker('a', done('A'), { origin })]);
  assert.deepEqual(call, {
    id: 'mcp_a',
    type: 'function_call',
    status: 'completed',
    call_id: 'a',
    name: 'files_read',
    arguments: '{"path":"a"}',
    provider_fields: { signature: 'S' },
  });
  assert.deepEqual(output, { id: 'mcp_a', type: 'function_call_output', status: 'completed', call_id: 'a', output: 'A' });
  const past = turn([user('go')], [worker('a', done('A'), { origin })], { model: 'another' });
  assert.deepEqual(told([past], [user('more')]), ['user: go', 'files_read a', 'a gave A', 'user: more'], 'another model has not signed it');
});

test('T5 · calls that were cut off with their turn are told, with what is known of them', () => {
  const past = turn([user('go')], [worker('a', done('A')), worker('b', stopped)], { status: 'cancelled' });
  assert.deepEqual(told([past], [user('more')]), [
    'user: go',
    'read a',
    'read b',
    'a gave A',
    `b gave Error: ${cutOff}`,
    'assistant: [The user stopped this answer before it was complete.]',
    'user: more',
  ]);
});

test('T5 · so is one that was never shown to have an end', () => {
  const open = { ...newWorkerCall('resp_a', 0, workerCall('a', {})), arguments: '{}' };
  assert.deepEqual(told([turn([user('go')], [open], { status: 'failed' })], [])[2], `a gave Error: ${cutOff}`);
});

test('a call that was asked for and approved later is told once, with the output that it then had', () => {
  const asked = turn([user('go')], [assistant('May I?'), ask('a'), ask('b')]);
  const input = [answer('a', true), answer('b', true)];
  const carried = [worker('a', done('A'), { step: 0, approved: 'mcpr_a' }), worker('b', done('B'), { step: 0, approved: 'mcpr_b' })];
  const expected = ['user: go', 'assistant: May I?', 'read a', 'read b', 'a gave A', 'b gave B'];
  assert.deepEqual(told([asked], input, carried), expected);
  assert.deepEqual(told([asked, turn(input, [...carried, assistant('so')])], [user('more')]), [...expected, 'assistant: so', 'user: more']);
});

test('a call that was refused is told with the reason, if one was given', () => {
  const asked = turn([user('go')], [ask('a'), ask('b'), ask('c')]);
  const input = [answer('a', false, 'not that one'), answer('b', false), answer('c', false, ''), user('something else')];
  const not = 'The user refused this call. It was not made.';
  assert.deepEqual(told([asked], input), [
    'user: go',
    'read a',
    'read b',
    'read c',
    `a gave ${not} The reason given: not that one`,
    `b gave ${not}`,
    `c gave ${not}`,
    'user: something else',
  ]);
});

test('one is approved and one refused, in any order', () => {
  const asked = turn([user('go')], [ask('a'), ask('b')]);
  const carried = [worker('b', done('B'), { step: 0, approved: 'mcpr_b' })];
  const expected = ['user: go', 'read a', 'read b', 'a gave The user refused this call. It was not made.', 'b gave B'];
  assert.deepEqual(told([asked], [answer('a', false), answer('b', true)], carried), expected);
  assert.deepEqual(told([asked], [answer('b', true), answer('a', false)], carried), expected);
});

test('a call that nobody approved or refused has no result, and the words that came instead follow it', () => {
  const asked = turn([user('go')], [worker('a', done('A')), ask('b')]);
  assert.deepEqual(told([asked], [user('never mind')]), [
    'user: go',
    'read a',
    'read b',
    'a gave A',
    'b gave [This call waits for the approval of a person. It has not been made yet: do not make it again.]',
    'user: never mind',
  ]);
});

test('T5 · a call that was approved, and whose turn was stopped before it began, has no result', () => {
  const asked = turn([user('go')], [ask('a')]);
  const stoppedEarly = turn([answer('a', true)], [], { status: 'cancelled' });
  assert.deepEqual(told([asked, stoppedEarly], [user('more')]), [
    'user: go',
    'read a',
    'a gave [This call was approved, and stopped before it was made.]',
    'assistant: [The user stopped this answer before it was complete.]',
    'user: more',
  ]);
});

test('an approval that comes when the talk has gone on is told where its call was made: the prompt ends with what came of it', () => {
  const asked = turn([user('go')], [ask('a')]);
  const between = turn([user('what is it for?')], [assistant('for you')]);
  assert.deepEqual(told([asked, between], [answer('a', true)], [worker('a', done('A'), { step: 0, approved: 'mcpr_a' })]), [
    'user: go',
    'read a',
    'a gave [This call waits for the approval of a person. It has not been made yet: do not make it again.]',
    'user: what is it for?',
    'assistant: for you',
    'read a_2',
    'a_2 gave A',
  ]);
});

test('a refusal that comes when the talk has gone on is told as what it is: words of the user', () => {
  const asked = turn([user('go')], [ask('a')]);
  const between = turn([user('what is it for?')], [assistant('for you')]);
  assert.match(told([asked, between], [answer('a', false)]).at(-1) ?? '', /^user: \[I refuse the call of \w+ that waited for my approval/);
});

test('a call whose request was deleted from the conversation is told where it was carried out', () => {
  const carried = [worker('a', done('A'), { step: 0, approved: 'mcpr_gone' }), assistant('so')];
  assert.deepEqual(told([turn([user('go')]), turn([], carried)], [user('more')]), [
    'user: go',
    'read a',
    'a gave A',
    'assistant: so',
    'user: more',
  ]);
});

for (const order of ['before', 'behind'] as const) {
  test(`a client’s call ${order} those of workers in one step: all calls stand together, each output behind them`, () => {
    const both = order === 'before' ? [clients('x'), worker('a', done('A'))] : [worker('a', done('A')), clients('x')];
    const outputs = order === 'before' ? ['x gave X', 'a gave A'] : ['a gave A', 'x gave X'];
    const calls = order === 'before' ? ['look x', 'read a'] : ['read a', 'look x'];
    assert.deepEqual(told([turn([user('go')], both)], [out('x', 'X')]), ['user: go', ...calls, ...outputs]);
  });
}

test('calls of a provider’s own server, and answers to its own requests, are passed on as they are', () => {
  const own = { id: 'mcp_own', type: 'mcp_call', name: 'search', server_label: 'web', arguments: '{}', output: 'found' };
  const stretch = [own as unknown as OpaqueItem, answer('theirs', true), user('go')];
  assert.deepEqual(withWorkerCalls([stretch]), [stretch]);
  assert.deepEqual(told([], stretch, [worker('a', done('A'))]), [
    'mcp_call mcp_own',
    'mcp_approval_response item_theirs',
    'user: go',
    'read a',
    'a gave A',
  ]);
});

test('a conversation without workers’ calls is not made anew', () => {
  const stretch = [user('go'), clients('x'), out('x', 'X')];
  assert.equal(withWorkerCalls([stretch])[0], stretch);
});

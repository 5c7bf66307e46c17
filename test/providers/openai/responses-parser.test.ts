import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { outcomeOf, readEvents } from '../support.ts';

const event = (type: string, fields: object = {}): unknown => ({ type: `response.${type}`, ...fields });
const completed = (output: unknown[] = [], fields: object = {}): unknown =>
  event('completed', { response: { status: 'completed', output, ...fields } });
const text = (delta: string, fields: object = {}): unknown => event('output_text.delta', { delta, ...fields });
const message = (text: string) => ({ type: 'message', content: [{ type: 'output_text', text }] });
const call = (fields: object = {}) => ({ type: 'function_call', id: 'fc_1', call_id: 'a', name: 'f', arguments: '', ...fields });
const read = (...events: readonly unknown[]) => readEvents('responses', ...events);
const calls = (...events: readonly unknown[]) =>
  read(...events).events.flatMap((each) =>
    each.type === 'delta' && each.delta.type === 'tool_call' ? [`${each.delta.callId} ${each.delta.name} ${each.delta.text}`] : [],
  );

void suite('what starts a step, and what does not', () => {
  const nothing = [
    event('created', { response: { id: 'r', status: 'in_progress' } }),
    event('in_progress'),
    event('output_item.added', { item: { type: 'message', content: [] } }),
    event('content_part.added', { part: { type: 'output_text', text: '' } }),
    text(''),
    event('brand_new.delta', { delta: 'x' }),
    { type: 'keepalive' },
  ];
  for (const each of nothing) void test(`nothing: ${JSON.stringify(each)}`, () => assert.equal(read(each).hasStarted, false));
  for (const type of ['output_text', 'refusal', 'reasoning_text', 'reasoning', 'reasoning_summary_text']) {
    void test(`started: ${type}.delta`, () => assert.equal(read(event(`${type}.delta`, { delta: ' ' })).hasStarted, true));
  }
  void test('started: a function call, by its name', () => assert.deepEqual(calls(event('output_item.added', { item: call() })), ['a f ']));
});

void suite('T8 · only a finish ends a stream well', () => {
  void test('response.completed is the finish and carries the usage', () => {
    const { events } = read(text('a'), completed([message('a')], { usage: { input_tokens: 3, output_tokens: 2 } }), text('late'));
    assert.deepEqual(
      events.map(({ type }) => type),
      ['delta', 'finish', 'usage'],
    );
  });
  for (const [reason, expected] of [
    ['max_output_tokens', 'max_output_tokens'],
    ['max_tokens', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
    [undefined, 'max_output_tokens'],
  ]) {
    void test(`response.incomplete for ${reason} is incomplete, with output or without`, () => {
      const { events } = read(
        event('incomplete', { response: { status: 'incomplete', incomplete_details: reason === undefined ? null : { reason } } }),
      );
      assert.deepEqual(events, [{ type: 'finish', finish: { status: 'incomplete', reason: expected } }]);
    });
  }
  void test('an unknown reason is a protocol failure that names it', () => {
    const { failure } = read(event('incomplete', { response: { incomplete_details: { reason: 'constructor' } } }));
    assert.deepEqual([failure?.code, failure?.detail], ['provider_protocol', 'incomplete_reason=constructor']);
  });
  void test('[DONE] alone is no finish', () => assert.equal(read(text('a'), '[DONE]').finishes, 0));
  void test('a finish without output is empty_response, also after reasoning', () => {
    assert.equal(outcomeOf(read(completed())), 'empty_response');
    assert.equal(outcomeOf(read(event('reasoning_text.delta', { delta: 'hm' }), completed())), 'empty_response');
  });
  void test('what only the whole response holds is emitted before the finish', () => {
    const result = read(completed([message('Hel'), message('lo'), call({ arguments: '{}' })]));
    assert.deepEqual([result.text, result.events.at(-1)?.type], ['Hello{}', 'finish']);
  });
  void test('what came as deltas is not emitted again', () => {
    const result = read(text('Hello'), event('output_item.added', { item: call() }), completed([message('Hello'), call()]));
    // No arguments are those of a tool without parameters.
    assert.equal(result.text, 'Hello{}');
    assert.equal(result.events.length, 4);
  });
});

void suite('function calls', () => {
  const args = (delta: string, at: object) => event('function_call_arguments.delta', { delta, ...at });
  void test('pieces find their call by item id, by output index, or as the last one', () => {
    for (const at of [{ item_id: 'fc_1', output_index: 0 }, { output_index: 0 }, {}]) {
      assert.deepEqual(calls(event('output_item.added', { output_index: 0, item: call() }), args('{', at), args('}', at)), [
        'a f ',
        'a f {',
        'a f }',
      ]);
    }
  });
  void test('two calls side by side are distinguished', () => {
    const second = call({ id: 'fc_2', call_id: 'b', name: 'g' });
    const pieces = calls(
      event('output_item.added', { output_index: 0, item: call() }),
      event('output_item.added', { output_index: 1, item: second }),
      args('1', { item_id: 'fc_1' }),
      args('2', { output_index: 1 }),
    );
    assert.deepEqual(pieces, ['a f ', 'b g ', 'a f 1', 'b g 2']);
  });
  void test('arguments that come whole with the end of the item are emitted once', () => {
    const done = event('output_item.done', { output_index: 0, item: call({ arguments: '{}' }) });
    assert.deepEqual(calls(event('output_item.added', { output_index: 0, item: call() }), done, done), ['a f ', 'a f {}']);
    assert.deepEqual(calls(done), ['a f ', 'a f {}']);
  });
  void test('an item whose id changes is known by its call id', () => {
    const done = event('output_item.done', { item: call({ id: 'other', arguments: '{}' }) });
    assert.deepEqual(calls(event('output_item.added', { item: call() }), done), ['a f ', 'a f {}']);
  });
  void test('two calls of one id are two where both their item ids and their indexes differ', () => {
    const second = call({ id: 'fc_2' });
    const pieces = calls(
      event('output_item.added', { output_index: 0, item: call() }),
      args('1', { item_id: 'fc_1', output_index: 0 }),
      event('output_item.done', { output_index: 0, item: call({ arguments: '1' }) }),
      event('output_item.added', { output_index: 1, item: second }),
      args('2', { item_id: 'fc_2', output_index: 1 }),
      event('output_item.done', { output_index: 1, item: { ...second, arguments: '2' } }),
    );
    assert.deepEqual(pieces, ['a f ', 'a f 1', 'a f ', 'a f 2']);
  });
  void test('calls that all have index 0 are distinguished by their call ids', () => {
    const added = (id: string) => event('output_item.added', { output_index: 0, item: call({ id, call_id: id }) });
    assert.deepEqual(calls(added('a'), args('1', { output_index: 0 }), added('b'), args('2', { output_index: 0 })), [
      'a f ',
      'a f 1',
      'b f ',
      'b f 2',
    ]);
  });
  void test('arguments without a call are rejected', () => assert.equal(outcomeOf(read(args('{', {}))), 'provider_protocol'));
});

void suite('T8 · calls are passed on as the provider sent them', () => {
  const args = (delta: string, at: object) => event('function_call_arguments.delta', { delta, ...at });
  void test('broken JSON in the arguments is passed on as it is, and no answer with it is complete', () => {
    const done = event('output_item.done', { output_index: 0, item: call({ arguments: '{"a": tru' }) });
    assert.deepEqual(calls(event('output_item.added', { output_index: 0, item: call() }), args('{"a"', {}), args(': tru', {}), done), [
      'a f ',
      'a f {"a"',
      'a f : tru',
    ]);
    assert.equal(outcomeOf(read(done, completed([call({ arguments: '{"a": tru' })]))), 'provider_protocol');
  });
  void test('interleaved pieces find their calls', () => {
    const at = (place: number) => ({ item_id: `fc_${place}`, output_index: place });
    const added = (place: number, id: string) =>
      event('output_item.added', { output_index: place, item: call({ id: `fc_${place}`, call_id: id }) });
    assert.deepEqual(calls(added(0, 'a'), added(1, 'b'), args('1', at(0)), args('2', at(1)), args('3', at(0))), [
      'a f ',
      'b f ',
      'a f 1',
      'b f 2',
      'a f 3',
    ]);
  });
  void test('a call without a call id goes by its item’s id, one without either gets one', () => {
    assert.deepEqual(calls(event('output_item.added', { item: call({ call_id: undefined }) })), ['fc_1 f ']);
    assert.match(calls(event('output_item.added', { item: { type: 'function_call', name: 'f' } }))[0] ?? '', /^call_\S+ f $/);
  });
  void test('what only the whole response holds comes in its order', () => {
    const { events } = read(completed([message('A'), call({ arguments: '{}' }), message('B')]));
    const shown = events.flatMap((each) => (each.type === 'delta' ? [each.delta] : []));
    assert.deepEqual(
      shown.filter(({ text }) => text !== '').map(({ type, text }) => [type, text]),
      [
        ['text', 'A'],
        ['tool_call', '{}'],
        ['text', 'B'],
      ],
    );
  });
  for (const [late, added] of Object.entries({
    'the id': { call_id: undefined },
    'the id, empty before': { call_id: '' },
    'another id': { call_id: 'b' },
    'the name': { name: '' },
    both: { name: undefined, call_id: undefined },
  })) {
    const whole = call({ arguments: '{"a":1}' });
    const end = [event('output_item.done', { output_index: 0, item: whole }), completed([whole])];
    const begin = event('output_item.added', { output_index: 0, item: call(added) });
    const delta = event('function_call_arguments.delta', { item_id: 'fc_1', output_index: 0, delta: '{"a":1}' });
    void test(`${late} with the end of its item is one call`, () => {
      const id = late === 'another id' ? 'b' : 'a';
      for (const events of [
        [begin, delta, ...end],
        [begin, ...end],
      ]) {
        const shown = calls(...events);
        assert.deepEqual([...new Set(shown.map((each) => each.split(' ').slice(0, 2).join(' ')))], [`${id} f`]);
        assert.equal(shown.map((each) => each.split(' ')[2]).join(''), '{"a":1}');
      }
    });
  }
  void test('T2 · a call that was begun without its id has started the step, though the stream breaks', () => {
    assert.deepEqual(calls(event('output_item.added', { item: call({ call_id: undefined }) })), ['fc_1 f ']);
  });
  void test('a call without a name is rejected', () =>
    assert.equal(outcomeOf(read(event('output_item.added', { item: call({ name: '' }) }))), 'provider_protocol'));
  void test('calls are no finish', () => {
    const { finishes, failure } = read(event('output_item.done', { item: call({ arguments: '{}' }) }), '[DONE]');
    assert.deepEqual([finishes, failure], [0, undefined]);
  });
});

void suite('encrypted reasoning', () => {
  const done = (content: unknown, fields: object = {}) =>
    event('output_item.done', {
      output_index: 0,
      item: { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: content, ...fields },
    });
  const encrypted = (...events: readonly unknown[]) =>
    read(...events).events.flatMap((each) => (each.type === 'delta' && each.delta.type === 'encrypted_reasoning' ? [each.delta] : []));
  const thought = (delta: string, fields: object = {}) =>
    event('reasoning_summary_text.delta', { item_id: 'rs_1', output_index: 0, summary_index: 0, delta, ...fields });

  void test('has the `item` of the last delta of its item', () => {
    const result = read(thought('hm'), thought('ah', { summary_index: 1 }), done('E'));
    const [, second, last] = result.events.flatMap((each) => (each.type === 'delta' ? [each.delta] : []));
    assert.deepEqual(last, { type: 'encrypted_reasoning', item: second?.item, text: 'E' });
  });
  void test('of an item without a summary has an `item` of its own', () => {
    const [first, second] = encrypted(done('E1'), done('E2', { id: 'rs_2' }));
    assert.deepEqual([first?.text, second?.text], ['E1', 'E2']);
    assert.notEqual(first?.item, second?.item);
    const [after] = encrypted(thought('hm'), done(undefined), done('E', { id: 'rs_2' }));
    assert.notEqual(after?.item, '["rs_1",0]', 'not that of an item that is done');
  });
  for (const nothing of [undefined, null, '', 5]) {
    void test(`${JSON.stringify(nothing)} is none`, () => assert.deepEqual(encrypted(done(nothing)), []));
  }
  void test('before the item is done it may be incomplete, and is ignored', () =>
    assert.deepEqual(encrypted(event('output_item.added', { item: { type: 'reasoning', encrypted_content: 'E' } })), []));
  void test('neither starts a step nor counts as output', () => {
    assert.equal(read(done('E')).hasStarted, false);
    assert.equal(outcomeOf(read(done('E'), completed())), 'empty_response');
  });
});

void suite('errors in the stream', () => {
  const errors: readonly (readonly [unknown, string])[] = [
    [{ type: 'error', code: 'rate_limit_exceeded', message: 'm', param: null }, 'provider_busy'],
    [{ type: 'error', error: { type: 'server_error', code: null, message: 'm' } }, 'provider_busy'],
    [{ type: 'error', code: null, message: 'm' }, 'provider_rejected'],
    [{ type: 'error', error: { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'm' } }, 'context_length_exceeded'],
    [event('failed', { response: { status: 'failed', error: { code: 'server_error', message: 'm' } } }), 'provider_busy'],
    [event('failed', { response: { status: 'failed', error: { code: 'invalid_prompt', message: 'm' } } }), 'provider_rejected'],
    [event('failed', { response: null }), 'provider_rejected'],
    [event('completed', { response: { status: 'failed', error: { code: 'insufficient_quota' } } }), 'provider_busy'],
    ['{"type":', 'provider_protocol'],
    ['[]', 'provider_protocol'],
  ];
  for (const [each, code] of errors)
    void test(`${code}: ${JSON.stringify(each)}`, () => assert.equal(outcomeOf(read(text('a'), each)), code));
});

void suite('T8 · done events tell the whole, and what the deltas did not is a last delta', () => {
  const at = { item_id: 'm', output_index: 0, content_index: 0 };
  const said = (...events: readonly unknown[]) => read(...events, completed()).text;
  const whole = (text: string) => event('output_item.done', { output_index: 0, item: { id: 'm', ...message(text) } });
  const textDone = (text: string, fields: object = at) => event('output_text.done', { text, ...fields });
  void test('of a text', () => {
    assert.equal(said(text('Hel', at), textDone('Hello')), 'Hello');
    assert.equal(said(text('Hel', at), whole('Hello')), 'Hello');
    assert.equal(read(text('Hel', at), completed([{ id: 'm', ...message('Hello') }])).text, 'Hello');
    assert.equal(said(textDone('Hello')), 'Hello');
    assert.equal(said(whole('Hello')), 'Hello');
  });
  void test('once, however often it is told', () => {
    const result = read(text('Hel', at), textDone('Hello'), whole('Hello'), completed([{ id: 'm', ...message('Hello') }]));
    assert.deepEqual([result.text, outcomeOf(result)], ['Hello', 'finished']);
  });
  void test('of a text without any address', () => {
    assert.equal(said(text('Hel'), textDone('Hello', {}), event('output_item.done', { item: message('Hello') })), 'Hello');
  });
  void test('of a second message', () => {
    const second = { item_id: 'n', output_index: 1, content_index: 0 };
    const result = read(text('One', at), whole('One'), text('Tw', second), completed([message('One'), message('Two'), message('Three')]));
    assert.deepEqual([result.text, outcomeOf(result)], ['OneTwoThree', 'finished']);
  });
  void test('of several parts of one message', () => {
    const parts = ['a', 'b', 'c'].map((each) => ({ type: 'output_text', text: each }));
    const item = { id: 'm', type: 'message', content: [...parts, { type: 'refusal', refusal: 'no' }] };
    assert.equal(said(text('a', at), event('output_item.done', { output_index: 0, item })), 'abcno');
  });
  void test('of arguments', () => {
    const added = event('output_item.added', { output_index: 0, item: call() });
    const half = event('function_call_arguments.delta', { delta: '{"a":', output_index: 0 });
    const done = event('function_call_arguments.done', { arguments: '{"a":1}', output_index: 0 });
    assert.equal(read(added, half, done, completed()).text, '{"a":1}');
    assert.equal(read(added, half, completed([call({ arguments: '{"a":1}' })])).text, '{"a":1}');
    assert.equal(read(added, half, event('output_item.done', { item: call({ arguments: { a: 1 } }) }), completed()).text, '{"a":1}');
  });
  void test('of arguments that are written anew, nothing', () => {
    const added = event('output_item.added', { output_index: 0, item: call() });
    const delta = event('function_call_arguments.delta', { delta: '{"a": 1}', output_index: 0 });
    assert.equal(read(added, delta, completed([call({ arguments: '{"a":1}' })])).text, '{"a": 1}');
  });
  void test('of calls whose ids are others at the end, nothing', () => {
    const done = event('output_item.done', { output_index: 0, item: call({ arguments: '{}' }) });
    assert.deepEqual(calls(done, completed([call({ id: 'other', call_id: 'other', arguments: '{}' })])), ['a f ', 'a f {}']);
  });
  void test('of reasoning, in a summary or in its content', () => {
    for (const item of [{ summary: [{ text: 'hm' }] }, { summary: [], content: [{ type: 'reasoning_text', text: 'hm' }] }]) {
      assert.equal(read(event('output_item.done', { item: { type: 'reasoning', ...item } })).text, 'hm');
    }
    assert.equal(read(event('reasoning_text.delta', { delta: 'h' }), event('reasoning_text.done', { text: 'hm' })).text, 'hm');
  });
  for (const [what, events] of [
    ['a text', [text('lo', at), textDone('Hello')]],
    ['a message', [text('lo', at), whole('Hello')]],
    ['the response', [text('lo', at), completed([message('Hello')])]],
    ['arguments', [event('output_item.done', { item: call({ arguments: '{"a":1}' }) }), completed([call({ arguments: '{"a":2}' })])]],
  ] as const) {
    void test(`a done event that says something else is a protocol failure: ${what}`, () => {
      const { failure } = read(...events);
      assert.deepEqual([failure?.code, failure?.detail], ['provider_protocol', 'done_contradicts_deltas']);
    });
  }
  void test('one that says less, or trims, says nothing', () => {
    assert.equal(said(text('Hello ', at), textDone(''), whole('Hello')), 'Hello ');
  });
});

/** What is read for what it means, and audio, which belongs to no item. */
type ReadEvent =
  | `response.${'audio' | 'content_part' | 'custom_tool_call_input' | 'function_call_arguments' | 'output_item' | 'output_text' | 'reasoning_summary_part' | 'reasoning_summary_text' | 'reasoning_text' | 'refusal'}.${string}`
  | `response.${'completed' | 'created' | 'failed' | 'in_progress' | 'incomplete' | 'queued'}`
  | 'error';
const isItemEvent: Record<Exclude<ResponseStreamEvent['type'], ReadEvent>, true> = {
  'response.code_interpreter_call.completed': true,
  'response.code_interpreter_call.in_progress': true,
  'response.code_interpreter_call.interpreting': true,
  'response.code_interpreter_call_code.delta': true,
  'response.code_interpreter_call_code.done': true,
  'response.compaction.compacting': true,
  'response.file_search_call.completed': true,
  'response.file_search_call.in_progress': true,
  'response.file_search_call.searching': true,
  'response.image_generation_call.completed': true,
  'response.image_generation_call.generating': true,
  'response.image_generation_call.in_progress': true,
  'response.image_generation_call.partial_image': true,
  'response.mcp_call.completed': true,
  'response.mcp_call.failed': true,
  'response.mcp_call.in_progress': true,
  'response.mcp_call_arguments.delta': true,
  'response.mcp_call_arguments.done': true,
  'response.mcp_list_tools.completed': true,
  'response.mcp_list_tools.failed': true,
  'response.mcp_list_tools.in_progress': true,
  'response.shell_call_command.added': true,
  'response.shell_call_command.delta': true,
  'response.shell_call_command.done': true,
  'response.shell_call_output_content.delta': true,
  'response.shell_call_output_content.done': true,
  'response.web_search_call.completed': true,
  'response.web_search_call.in_progress': true,
  'response.web_search_call.searching': true,
};

void suite('what turnkeep does not know is passed on', () => {
  const item = { id: 'ws_1', type: 'web_search_call', status: 'in_progress' };
  const opaque = (...events: readonly unknown[]) =>
    read(...events).events.flatMap((each) => (each.type === 'delta' && each.delta.type === 'opaque' ? [each.delta] : []));
  const added = event('output_item.added', { output_index: 0, item });
  const done = event('output_item.done', { output_index: 0, item: { ...item, status: 'completed', action: { query: 'q' } } });
  void test('items of any type, with their events, as they came', () => {
    const searching = event('web_search_call.searching', { item_id: 'ws_1', output_index: 0, more: [1] });
    assert.deepEqual(
      opaque(added, searching, done, completed()).map((delta) => delta.event),
      [added, searching, done],
    );
  });
  void test('once: the whole response repeats them', () => {
    assert.equal(opaque(added, done, done, completed([item])).length, 2);
    assert.equal(opaque(added, completed([item])).length, 2);
    assert.equal(opaque(completed([item])).length, 1);
  });
  void test('once, also under an id that changes', () => {
    const end = event('output_item.done', { output_index: 0, item: { ...item, id: 'B', status: 'completed' } });
    const whole = { ...item, id: 'C', status: 'completed' };
    for (const [events, count] of [
      [[added, end, completed([whole])], 1],
      [[added, completed([whole])], 1],
      [[end, completed([whole])], 1],
      [[added, end, completed([whole, { ...whole, id: 'D' }])], 2],
    ] as const) {
      assert.equal(new Set(opaque(...events).map((delta) => delta.item)).size, count);
    }
    assert.equal(opaque(added, end, completed([whole])).length, 2);
  });
  void test('they start the step and are an answer', () => {
    assert.equal(read(added).hasStarted, true);
    assert.equal(outcomeOf(read(done, completed([item]))), 'finished');
  });
  void test('every event of an item that OpenAI has published is passed on', () => {
    for (const type of Object.keys(isItemEvent)) {
      const one = { item_id: 'i', output_index: 0, x: 1 };
      const shown = opaque(event('output_item.added', { output_index: 0, item: { id: 'i', type: 'some_call' } }), { type, ...one });
      assert.deepEqual(shown.at(-1)?.event, { type, ...one });
    }
  });
  void test('an event of no item is nothing', () =>
    assert.deepEqual(opaque(event('brand_new.delta', { item_id: 'x' }), event('brand_new')), []));
  void test('a message of its own, with its phase, its sources and how likely its tokens were', () => {
    const source = { type: 'url_citation', url: 'https://a.test' };
    const at = { item_id: 'm', output_index: 0, content_index: 0 };
    const { events } = read(
      event('output_item.added', {
        output_index: 0,
        item: { id: 'm', type: 'message', role: 'assistant', content: [], phase: 'commentary' },
      }),
      text('a', { ...at, logprobs: [{ token: 'a', logprob: -1 }] }),
      event('output_text.annotation.added', { ...at, annotation_index: 0, annotation: source }),
      event('output_item.done', {
        output_index: 0,
        item: { id: 'm', ...message('a'), content: [{ type: 'output_text', text: 'a', annotations: [source, source] }] },
      }),
    );
    assert.deepEqual(
      events.map((each) => (each.type === 'delta' ? each.delta : each)),
      [
        { type: 'message', text: '', item: 'message 0', members: { phase: 'commentary' } },
        { type: 'text', text: 'a', item: 'message 0 c0', logprobs: [{ token: 'a', logprob: -1 }] },
        { type: 'annotation', text: '', item: 'message 0 c0', annotation: source },
        { type: 'annotation', text: '', item: 'message 0 c0', annotation: source },
      ],
    );
  });
  void test('members that come with the end of a call, or with the whole response, are told with a piece of it', () => {
    const given = { type: 'function_call', id: 'c', call_id: 'a', name: 'f', arguments: '{}' };
    const { events } = read(
      event('output_item.added', { output_index: 0, item: { ...given, arguments: '' } }),
      event('output_item.done', { output_index: 0, item: { ...given, namespace: 'n' } }),
      completed([{ ...given, namespace: 'n', signature: 'S' }]),
    );
    assert.deepEqual(
      events.flatMap((each) => (each.type === 'delta' && each.delta.type === 'tool_call' ? [each.delta.members] : [])),
      [undefined, { namespace: 'n' }, { namespace: 'n' }, { namespace: 'n', signature: 'S' }].slice(0, 4),
    );
  });
  void test('the phase of a message that comes with its end', () => {
    const given = { type: 'message', id: 'm', role: 'assistant', content: [] };
    const { events } = read(
      event('output_item.added', { output_index: 0, item: given }),
      event('output_text.delta', { output_index: 0, item_id: 'm', content_index: 0, delta: 'a' }),
      event('output_item.done', {
        output_index: 0,
        item: { ...given, content: [{ type: 'output_text', text: 'a' }], phase: 'commentary' },
      }),
    );
    assert.deepEqual(events.at(-1), {
      type: 'delta',
      delta: { type: 'message', text: '', item: 'message 0', members: { phase: 'commentary' } },
    });
  });
  void test('a call of a custom tool, and one of a namespace', () => {
    const { events } = read(
      event('output_item.added', {
        output_index: 0,
        item: { type: 'custom_tool_call', id: 'c', call_id: 'a', name: 'f', input: '', namespace: 'n' },
      }),
      event('custom_tool_call_input.delta', { output_index: 0, item_id: 'c', delta: 'x' }),
      event('custom_tool_call_input.done', { output_index: 0, item_id: 'c', input: 'xy' }),
      completed([{ type: 'custom_tool_call', id: 'c', call_id: 'a', name: 'f', input: 'xy' }]),
    );
    const common = { type: 'tool_call', item: 'call 0', callId: 'a', name: 'f', isCustom: true, members: { namespace: 'n' } };
    assert.deepEqual(
      events.flatMap((each) => (each.type === 'delta' ? [each.delta] : [])),
      [
        { ...common, text: '' },
        { ...common, text: 'x' },
        { ...common, text: 'y' },
      ],
    );
  });
});

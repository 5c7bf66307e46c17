import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ModelEvent } from '../../../src/domain/model.ts';
import { outcomeOf, parserOf, readEvents } from '../support.ts';

const delta = (fields: unknown, finishReason: string | null = null, more: object = {}): unknown => ({
  choices: [{ index: 0, delta: fields, finish_reason: finishReason }],
  ...more,
});
const stop = delta({}, 'stop');
const call = (fields: object): unknown => delta({ tool_calls: [fields] });
const read = (...events: readonly unknown[]) => readEvents('chat', ...events);
const calls = (...events: readonly unknown[]) =>
  read(...events).events.flatMap((event) => (event.type === 'delta' && event.delta.type === 'tool_call' ? [event.delta] : []));

void suite('what starts a step, and what does not', () => {
  const nothing = [
    delta({ role: 'assistant', content: null }),
    delta({ role: 'assistant', content: '' }),
    delta({}),
    delta({ content: '', reasoning_content: null, refusal: null, tool_calls: [] }),
    { choices: [], usage: { prompt_tokens: 1, completion_tokens: 0 } },
    delta({ content: [], reasoning: {}, reasoning_details: [] }),
    delta({
      content: [
        { type: 'text', text: '' },
        { type: 'reference', reference_ids: [1] },
      ],
    }),
    { object: 'ping' },
  ];
  for (const event of nothing) {
    void test(`nothing: ${JSON.stringify(event)}`, () => assert.equal(read(event).hasStarted, false));
  }
  for (const fields of [
    { content: ' ' },
    { content: [{ type: 'text', text: 'a' }] },
    { refusal: 'no' },
    { reasoning_content: 'hm' },
    { reasoning: 'hm' },
  ]) {
    void test(`started: ${JSON.stringify(fields)}`, () => assert.equal(read(delta(fields)).hasStarted, true));
  }
});

void suite('T8 · only a finish ends a stream well', () => {
  void test('the finish reason is the finish, and what comes behind [DONE] changes nothing', () => {
    const { text, finishes, failure } = read(
      delta({ content: 'a' }),
      delta({ content: 'b' }, 'stop'),
      '[DONE]',
      delta({ content: 'late' }),
    );
    assert.deepEqual([text, finishes, failure], ['ab', 1, undefined]);
  });
  void test('a reason behind every chunk: the last one counts, and all of the text', () => {
    const { text, events } = read(
      delta({ role: 'assistant' }, 'stop'),
      delta({ content: 'a' }, 'stop'),
      delta({ content: 'b' }, 'stop'),
      delta({ content: 'c' }, 'length'),
      '[DONE]',
    );
    assert.equal(text, 'abc');
    assert.deepEqual(events.at(-1), { type: 'finish', finish: { status: 'incomplete', reason: 'max_output_tokens' } });
  });
  void test('more content behind a finish reason counts, if the stream then ends properly', () => {
    const parser = parserOf('chat');
    const events: ModelEvent[] = [];
    for (const each of [delta({ content: 'a' }, 'stop'), delta({ content: 'b' })]) parser.read({ data: JSON.stringify(each) }, events);
    assert.equal(parser.hasFinish, false, 'a connection that broke here would have cut the answer');
    parser.end(true, events);
    assert.equal(parser.hasFinish, true);
  });
  void test('a finish that was taken back is told again at the end of the stream only', () => {
    const { events } = read(delta({ content: 'a' }, 'stop'), delta({ content: 'b' }, 'stop'), delta({ content: 'c' }, 'stop'), '[DONE]');
    assert.deepEqual(
      events.map(({ type }) => type),
      ['delta', 'finish', 'delta', 'delta', 'finish'],
    );
  });
  void test('what was cut off does not become whole by another reason', () => {
    const { events } = read(delta({ content: 'a' }, 'length'), delta({}, 'stop'), '[DONE]');
    assert.deepEqual(events.at(-1), { type: 'finish', finish: { status: 'incomplete', reason: 'max_output_tokens' } });
  });
  void test('[DONE] alone is no finish', () => assert.equal(read(delta({ content: 'a' }), '[DONE]').finishes, 0));
  void test('an empty finish reason is none', () => assert.equal(read(delta({ content: 'a' }, '')).finishes, 0));
  void test('usage is read wherever it comes', () => {
    const usage = { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } };
    for (const events of [
      [delta({ content: 'a' }), delta({}, 'stop', { usage })],
      [delta({ content: 'a' }), stop, { choices: [], usage }],
      [delta({ content: 'a' }, null, { usage }), stop, '[DONE]'],
    ]) {
      const result = read(...events);
      assert.deepEqual(
        result.events.map(({ type }) => type),
        ['delta', 'finish', 'usage'],
      );
      const last = result.events.at(-1);
      assert.ok(last?.type === 'usage');
      assert.deepEqual(last.usage, {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 1 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 5,
      });
    }
  });
  void test('a finish without output is empty_response, also after reasoning', () => {
    assert.equal(outcomeOf(read(stop)), 'empty_response');
    assert.equal(outcomeOf(read(delta({ reasoning_content: 'hm' }), stop)), 'empty_response');
  });
  void test('a refusal or a tool call is output', () => {
    assert.equal(outcomeOf(read(delta({ refusal: 'no' }), stop)), 'finished');
    assert.equal(outcomeOf(read(call({ index: 0, id: 'a', function: { name: 'f' } }), delta({}, 'tool_calls'))), 'finished');
  });
  void test('incomplete needs no output', () => assert.equal(outcomeOf(read(delta({}, 'length'))), 'finished'));
  void test('a finish reason by which the server gives up is provider_busy', () =>
    assert.equal(outcomeOf(read(delta({ content: 'a' }, 'abort'))), 'provider_busy'));
});

void suite('tool calls', () => {
  void test('side by side by index, each piece with its id and name', () => {
    const pieces = calls(
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '' } }),
      call({ index: 0, function: { arguments: '{"x"' } }),
      call({ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }),
      call({ index: 0, function: { arguments: ':1}' } }),
    );
    assert.deepEqual(
      pieces.map(({ callId, name, text }) => `${callId} ${name} ${text}`),
      ['a f {"x"', 'b g {}', 'a f :1}'],
    );
  });
  void test('whole calls without an index are distinguished by their ids', () => {
    const whole = (id: string) => call({ id, function: { name: 'f', arguments: '{}' } });
    assert.deepEqual(
      calls(whole('a'), whole('b')).map(({ item, callId }) => [item, callId]),
      [
        ['call 0', 'a'],
        ['call 1', 'b'],
      ],
    );
  });
  void test('calls that all claim index 0 too', () => {
    const whole = (id: string) => call({ index: 0, id, function: { name: 'f', arguments: '{}' } });
    assert.equal(new Set(calls(whole('a'), whole('b')).map(({ item }) => item)).size, 2);
  });
  void test('a name that is repeated in every piece is emitted once', () => {
    const pieces = calls(
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{' } }),
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '}' } }),
    );
    assert.deepEqual(
      pieces.map(({ name, text }) => name + text),
      ['f{', 'f}'],
    );
  });
  void test('a call without an id gets one', () =>
    assert.match(calls(call({ index: 0, function: { name: 'f', arguments: '{}' } }))[0]?.callId ?? '', /^call_./));
  void test('T8 · arguments that are no JSON at the stated end are provider_protocol', () => {
    for (const args of ['{"a": tru', '{}{}', '{"a":1}}', 'text']) {
      const result = read(call({ index: 0, id: 'a', function: { name: 'f', arguments: args } }), delta({}, 'tool_calls'), '[DONE]');
      assert.deepEqual([result.failure?.detail, outcomeOf(result)], ['tool_call_arguments', 'provider_protocol'], args);
      assert.equal(result.text, args, 'what came is shown');
    }
  });
  void test('T8 · calls are no finish', () => {
    const { finishes, failure } = read(call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }), '[DONE]');
    assert.deepEqual([finishes, failure], [0, undefined]);
  });
  void test('T8 · the finish reason tool_calls without any: the text is the answer; without text it is empty', () => {
    assert.equal(outcomeOf(read(delta({ content: 'a' }), delta({}, 'tool_calls'))), 'finished');
    assert.equal(outcomeOf(read(delta({}, 'tool_calls'))), 'empty_response');
    assert.equal(outcomeOf(read(delta({ tool_calls: [] }, 'tool_calls'))), 'empty_response');
  });
  void test('T8 · calls that end with stop are calls', () =>
    assert.equal(outcomeOf(read(call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }), stop)), 'finished'));
  void test('T8 · calls cut off by the length limit are incomplete', () => {
    const { events } = read(call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"a' } }), delta({}, 'length'));
    assert.deepEqual(events.at(-1), { type: 'finish', finish: { status: 'incomplete', reason: 'max_output_tokens' } });
  });
  void test('a call that never gets a name is rejected at the finish', () =>
    assert.equal(outcomeOf(read(call({ index: 0, id: 'a', function: {} }), delta({}, 'tool_calls'))), 'provider_protocol'));
  void test('the form before `tool_calls`', () => {
    const pieces = calls(delta({ function_call: { name: 'f', arguments: '' } }), delta({ function_call: { arguments: '{}' } }));
    assert.deepEqual(
      pieces.map(({ name, text }) => name + text),
      ['f{}'],
    );
  });
  void test('arguments of a call that never gets a name are rejected', () => {
    const result = read(call({ index: 0, id: 'a', function: { arguments: '{}' } }), delta({}, 'tool_calls'));
    assert.deepEqual([result.failure?.detail, outcomeOf(result), result.text], ['tool_call_without_name', 'provider_protocol', '']);
  });
});

void suite('a whole completion as one event', () => {
  const whole = (message: object, finishReason: string): unknown => ({
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finishReason }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  });
  void test('its message is the answer, its finish reason the proof', () => {
    const result = read(whole({ content: 'Hello', reasoning_content: 'hm' }, 'stop'), '[DONE]');
    assert.deepEqual(
      result.events.map((event) => (event.type === 'delta' ? `${event.delta.type} ${event.delta.text}` : event.type)),
      ['reasoning hm', 'text Hello', 'finish', 'usage'],
    );
  });
  void test('its calls are whole', () => {
    const tool = (id: string, args: string) => ({ id, type: 'function', function: { name: 'f', arguments: args } });
    const pieces = calls(whole({ content: null, tool_calls: [tool('a', '{}'), tool('b', '{"x":1}')] }, 'tool_calls'));
    assert.deepEqual(
      pieces.map(({ callId, name, text }) => `${callId} ${name} ${text}`),
      ['a f {}', 'b f {"x":1}'],
    );
  });
  void test('T8 · one that is empty, or has no finish reason, is no success', () => {
    assert.equal(outcomeOf(read(whole({ content: '' }, 'stop'))), 'empty_response');
    assert.equal(read({ choices: [{ message: { content: 'a' } }] }, '[DONE]').finishes, 0);
  });
  void test('behind deltas, or beside them, it says nothing again', () => {
    assert.equal(read(delta({ content: 'Hel' }), delta({ content: 'lo' }), whole({ content: 'Hello' }, 'stop')).text, 'Hello');
    const beside = { choices: [{ delta: { content: 'lo' }, message: { content: 'Hello' }, finish_reason: 'stop' }] };
    assert.equal(read(delta({ content: 'Hel' }), beside).text, 'Hello');
  });
});

void suite('errors in the stream', () => {
  void test('broken JSON is a protocol failure, and earlier deltas stay', () => {
    const result = read(delta({ content: 'a' }), '{"choices":[');
    assert.deepEqual([result.text, outcomeOf(result)], ['a', 'provider_protocol']);
  });
  const errors: readonly (readonly [unknown, string])[] = [
    [{ error: { message: 'm', code: 429 } }, 'provider_busy'],
    [{ error: { message: 'm', type: 'server_error', code: null } }, 'provider_busy'],
    [{ error: 'plain' }, 'provider_rejected'],
    [{ choices: [{ delta: { content: '' }, error: { code: 502, message: 'm' }, finish_reason: 'error' }] }, 'provider_busy'],
    [{ object: 'error', message: 'm', code: 400 }, 'provider_rejected'],
    [{ error: { message: 'maximum context length is 5' } }, 'context_length_exceeded'],
    [{ error: { code: 502, message: 'm' }, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] }, 'provider_busy'],
  ];
  void test('words behind [ERROR] are the stated error', () => {
    const { failure } = read(delta({ content: 'a' }), '[ERROR] boom words');
    assert.deepEqual([failure?.code, failure?.providerMessage], ['provider_rejected', 'boom words']);
    assert.equal(outcomeOf(read('[ERROR] engine overloaded')), 'provider_busy');
  });
  void test('T8 · two choices in turns are no answer; an index that counts, or comes once more with the finish, is one', () => {
    const at = (index: number, content: string, finish_reason: string | null = null) => ({
      choices: [{ index, delta: { content }, finish_reason }],
    });
    const mixed = read(at(0, 'a'), at(1, 'x'), at(0, 'b'));
    assert.deepEqual([mixed.failure?.code, mixed.failure?.detail], ['provider_protocol', 'choices_in_turns']);
    assert.equal(read(at(0, 'a'), at(1, 'b'), at(2, 'c'), at(0, '', 'stop')).text, 'abc');
  });
  for (const [event, code] of errors) void test(`${code}: ${JSON.stringify(event)}`, () => assert.equal(outcomeOf(read(event)), code));
});

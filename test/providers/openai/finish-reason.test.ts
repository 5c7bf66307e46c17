import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readFinishReason } from '../../../src/providers/openai/finish-reason.ts';

void suite('T8 · a table decides which finish reasons end a step well', () => {
  const completed = ['stop', 'tool_calls', 'function_call', 'eos', 'eos_token', 'end_turn', 'stop_sequence'];
  void test(`completed: ${completed.join(', ')}`, () => {
    for (const reason of completed) assert.deepEqual(readFinishReason(reason), { finish: { status: 'completed' } });
  });
  void test('incomplete: length, content_filter', () => {
    assert.deepEqual(readFinishReason('length'), { finish: { status: 'incomplete', reason: 'max_output_tokens' } });
    assert.deepEqual(readFinishReason('content_filter'), { finish: { status: 'incomplete', reason: 'content_filter' } });
  });
  const failureOf = (reason: string) => {
    const finish = readFinishReason(reason);
    return 'failure' in finish ? [finish.failure.code, finish.failure.detail] : undefined;
  };
  for (const reason of ['error', 'abort', 'insufficient_system_resource']) {
    void test(`${reason} is a failure: the server gave up`, () =>
      assert.deepEqual(failureOf(reason), ['provider_busy', `finish_reason=${reason}`]));
  }
  void test('an unknown one is a protocol failure that names it', () =>
    assert.deepEqual(failureOf('because'), ['provider_protocol', 'finish_reason=because']));
  for (const reason of ['constructor', '__proto__', 'a secret prompt', 'sk-abcdef123456']) {
    void test(`T11 · '${reason}' is unknown and, unless it is one word, not repeated`, () => {
      const [code, detail] = failureOf(reason) ?? [];
      assert.equal(code, 'provider_protocol');
      assert.doesNotMatch(detail ?? '', /secret|sk-/);
    });
  }
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readFinishReason } from '../../../src/providers/openai/finish-reason.ts';

void suite('T8 · a table decides how a finish reason ends a step', () => {
  const table = {
    completed: 'stop tool_calls function_call eos eos_token end_turn stop_sequence tool_use STOP FINISH_REASON_STOP Completed',
    max_output_tokens: 'length max_tokens MAX_TOKENS model_length max_output_tokens model_context_window_exceeded',
    content_filter: 'content_filter content-filter sensitive SAFETY RECITATION PROHIBITED_CONTENT guardrail_intervened refusal',
  };
  for (const [meaning, words] of Object.entries(table)) {
    void test(`${meaning}: ${words}`, () => {
      const finish = meaning === 'completed' ? { status: 'completed' } : { status: 'incomplete', reason: meaning };
      for (const reason of words.split(' ')) assert.deepEqual(readFinishReason(reason), { finish }, reason);
    });
  }
  void test('what stands there before there is a reason is none', () => {
    for (const reason of [null, undefined, '', 'null', 'None', 'FINISH_REASON_UNSPECIFIED', 0, {}, []]) {
      assert.equal(readFinishReason(reason), undefined, JSON.stringify(reason));
    }
  });
  void test('an object that names the reason is read', () =>
    assert.deepEqual(readFinishReason({ type: 'stop', stop: '<|im_end|>' }), { finish: { status: 'completed' } }));
  for (const [reason, code] of [
    ['error', 'provider_busy'],
    ['abort', 'provider_busy'],
    ['insufficient_system_resource', 'provider_busy'],
    ['network_error', 'provider_busy'],
    ['engine_overloaded', 'provider_busy'],
    ['upstream_error', 'provider_busy'],
    ['MALFORMED_FUNCTION_CALL', 'provider_protocol'],
  ] as const) {
    void test(`${reason} is a failure: ${code}`, () => {
      const result = readFinishReason(reason);
      assert.ok(result !== undefined && 'failure' in result);
      assert.deepEqual([result.failure.code, result.failure.detail], [code, `finish_reason=${reason}`]);
    });
  }
  void test('an unknown one completes, and is noted', () =>
    assert.deepEqual(readFinishReason('because'), { finish: { status: 'completed', detail: 'finish_reason=because' } }));
  for (const reason of ['constructor', '__proto__', 'a secret prompt', 'sk-abcdef123456']) {
    void test(`T11 · '${reason}' is unknown and, unless it is one word, not repeated`, () => {
      const result = readFinishReason(reason);
      assert.ok(result !== undefined && 'finish' in result);
      assert.equal(result.finish.status, 'completed');
      assert.doesNotMatch(result.finish.detail ?? '', /secret|sk-/);
    });
  }
});

/** Whether a provider would accept the conversation that a request carries: what strict servers check, of both APIs. */
import assert from 'node:assert/strict';
import type { LoggedRequest } from '../../src/testing/model-server/index.ts';

type AnyObject = { readonly [key: string]: unknown };

/**
 * T13 · Throws an `AssertionError` for what a server would refuse.
 * @returns the outputs of all calls, in order
 */
export function assertSendable({ body }: Pick<LoggedRequest, 'body'>): readonly string[] {
  assertWellFormed(body);
  const { messages, input } = body as { messages?: AnyObject[]; input?: AnyObject[] };
  return messages === undefined ? ofInput(input ?? []) : ofMessages(messages);
}

function ofMessages(messages: readonly AnyObject[]): readonly string[] {
  const outputs: string[] = [];
  /** Ids of the calls whose outputs are due now. */
  const due: string[] = [];
  messages.forEach((message, at) => {
    const { role, content, tool_calls: calls } = message;
    if (role === 'tool') {
      assert.equal(message['tool_call_id'], due.shift(), 'each call has its output, in order');
      assert.equal(typeof content, 'string');
      outputs.push(String(content));
      return;
    }
    assert.equal(due.length, 0, 'the outputs stand right behind their calls');
    if (role === 'system') assert.equal(at, 0, 'there is one system message, and it is the first');
    else assert.ok(role === 'user' || role === 'assistant', `the role ${String(role)}`);
    if (calls === undefined) {
      assert.ok(typeof content === 'string' || Array.isArray(content), `${role} says a text or parts`);
      return;
    }
    assert.ok(role === 'assistant' && Array.isArray(calls) && calls.length > 0);
    assert.ok(content === null || typeof content === 'string');
    for (const call of calls as AnyObject[]) {
      assert.equal(call['type'], 'function');
      const { name, arguments: text } = call['function'] as AnyObject;
      assertCall(name, text);
      assert.ok(typeof call['id'] === 'string' && call['id'] !== '', 'a call has an id');
      due.push(call['id']);
    }
  });
  assert.equal(due.length, 0, 'each call has its output');
  return outputs;
}

function ofInput(input: readonly AnyObject[]): readonly string[] {
  const outputs: string[] = [];
  const due: string[] = [];
  for (const item of input) {
    const { type, call_id: id } = item;
    if (type === 'function_call' || type === 'custom_tool_call') {
      if (type === 'function_call') assertCall(item['name'], item['arguments']);
      else assert.equal(typeof item['input'], 'string');
      assert.ok(typeof id === 'string' && id !== '');
      due.push(id);
    } else if (type === 'function_call_output' || type === 'custom_tool_call_output') {
      assert.equal(id, due.shift(), 'each call has its output, in order');
      assert.ok(typeof item['output'] === 'string' || Array.isArray(item['output']));
      outputs.push(String(item['output']));
    } else {
      assert.equal(due.length, 0, 'the outputs stand right behind their calls');
      if (type === 'message') assert.ok(typeof item['content'] === 'string' || Array.isArray(item['content']));
    }
  }
  assert.equal(due.length, 0, 'each call has its output');
  return outputs;
}

function assertCall(name: unknown, text: unknown): void {
  assert.ok(typeof name === 'string' && name !== '', 'a call has a name');
  assert.ok(typeof text === 'string', 'arguments are a text');
  const value = JSON.parse(text) as unknown;
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), `arguments are an object: ${text}`);
}

function assertWellFormed(value: unknown): void {
  if (typeof value === 'string') assert.ok(value.isWellFormed(), `half a character in ${JSON.stringify(value)}`);
  else if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) assertWellFormed(each);
}

/** What a stored completion was asked with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InputItem } from '../../../src/domain/item.ts';
import { storedMessages } from '../../../src/gateway/chat-completions/stored-messages.ts';

test('a call of a custom tool and its output are messages, as those of a function are', () => {
  const items: InputItem[] = [
    { id: 'msg_1', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
    { id: 'ctc_1', type: 'custom_tool_call', status: 'completed', call_id: 'a', name: 'run', input: 'ls' },
    { id: 'ctco_1', type: 'custom_tool_call_output', status: 'completed', call_id: 'a', output: 'files' },
  ];
  const messages = storedMessages(items, null, false);
  assert.deepEqual(
    messages.map(({ role, tool_calls: calls, tool_call_id: id, content }) => ({ role, calls, id, content })),
    [
      { role: 'user', calls: undefined, id: undefined, content: 'hi' },
      { role: 'assistant', calls: [{ id: 'a', type: 'custom', custom: { name: 'run', input: 'ls' } }], id: undefined, content: null },
      { role: 'tool', calls: undefined, id: 'a', content: 'files' },
    ],
  );
});

/** One API's fields sent to another: the error names the field that was sent, and what it is called here. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { misnamedInUi, uiRequest } from '../../../src/gateway/ai-sdk/request-schema.ts';
import { chatRequest, misnamedInChat } from '../../../src/gateway/chat-completions/request-schema.ts';
import type { Misnamed } from '../../../src/gateway/http/misnamed.ts';
import { createResponse, misnamedInResponse } from '../../../src/gateway/responses/schema.ts';
import { read } from '../../support/post.ts';
import { appFor, serve } from '../served-app.ts';

const messages = [{ role: 'user', content: 'hi' }];
const chatTool = { type: 'function', function: { name: 'f' } };
const tool = { type: 'function', name: 'f' };

const table: readonly (readonly [path: string, body: object, param: string, names: string])[] = [
  ['/v1/responses', { messages }, 'messages', "'input'"],
  ['/v1/responses', { messages }, 'messages', '/v1/chat/completions'],
  ['/v1/responses', { input: 'hi', max_tokens: 9 }, 'max_tokens', "'max_output_tokens'"],
  ['/v1/responses', { input: 'hi', response_format: { type: 'json_object' } }, 'response_format', "'text.format'"],
  ['/v1/responses', { input: 'hi', tools: [tool, chatTool] }, 'tools[1].function', "'type'"],
  ['/v1/chat/completions', { input: 'hi' }, 'input', "'messages'"],
  ['/v1/chat/completions', { input: 'hi' }, 'input', '/v1/responses'],
  ['/v1/chat/completions', { messages, max_output_tokens: 9 }, 'max_output_tokens', "'max_completion_tokens'"],
  ['/v1/chat/completions', { messages, tools: [tool] }, 'tools[0].name', "'function'"],
  ['/api/chat', { id: 'c', prompt: 'hi' }, 'prompt', "'messages'"],
];

void suite('a field of another API', () => {
  for (const [path, body, param, names] of table) {
    void test(`${path}: '${param}' is ${names}`, async (t) => {
      const response = await fetch((await serve(t, appFor(t))) + path, { method: 'POST', body: JSON.stringify({ model: 'm', ...body }) });
      const { status, json } = await read(response);
      const error = json?.['error'] as { param: string; code: string; message: string };
      assert.deepEqual([status, error.param, error.code], [400, param, 'unknown_parameter']);
      assert.ok(error.message.startsWith(`Unknown parameter: '${param}'. `), error.message);
      assert.ok(error.message.slice(param.length).includes(names), error.message);
    });
  }

  void test('no field that a schema knows is refused', () => {
    const shapes: readonly (readonly [object, Misnamed])[] = [
      [createResponse.shape, misnamedInResponse],
      [chatRequest.shape, misnamedInChat],
      [uiRequest.shape, misnamedInUi],
    ];
    for (const [shape, misnamed] of shapes) {
      for (const name of Object.keys(misnamed)) assert.equal(name in shape, false, name);
    }
  });
});

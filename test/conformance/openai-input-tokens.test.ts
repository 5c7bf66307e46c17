/** `openai` for Node: `responses.inputTokens.count`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError, NotFoundError } from 'openai';
import { chatAnswer, httpError, httpResponse, reset, type Script, stall } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

const look = { type: 'function' as const, name: 'look', parameters: { type: 'object', properties: {} }, strict: true };
const isCount = ({ path }: { readonly path: string }) => path.endsWith('/responses/input_tokens');

test('openai: a provider that counts is asked, with all that the request would send, and nothing is made of it', async () => {
  await using world = await World.open({ api: 'responses' });
  const said = await world.client.responses.create({ model: 'scripted', input: 'hi' });
  world.model.enqueue(httpResponse(200, { object: 'response.input_tokens', input_tokens: 42 }));
  const { data, response } = await world.client.responses.inputTokens
    .count({ model: 'scripted', input: 'and now?', previous_response_id: said.id, instructions: 'be brief', tools: [look] })
    .withResponse();
  assert.deepEqual(data, { object: 'response.input_tokens', input_tokens: 42 });
  assert.equal(response.headers.get('x-turnkeep-estimated'), null);
  const [, asked] = world.model.requests;
  assert.ok(asked && isCount(asked));
  assert.deepEqual(asked.body, {
    model: 'scripted',
    input: [
      { type: 'message', role: 'user', content: 'hi' },
      { type: 'message', role: 'assistant', content: 'Hello world' },
      { type: 'message', role: 'user', content: 'and now?' },
    ],
    instructions: 'be brief',
    tools: [{ type: 'function', name: 'look', parameters: look.parameters, strict: true }],
  });
  assert.equal(((await world.call('GET', '/turns')).body['data'] as unknown[]).length, 1, 'a count is no turn');
});

test('openai: a provider that does not count, or cannot be asked, makes it an estimate, which says so', async () => {
  await using world = await World.open({ api: 'responses', limits: { connectTimeoutMs: 300 } });
  const cannot: readonly Script[] = [httpError(404), httpError(405), httpError(501), httpError(401), httpError(503), [reset], [stall]];
  for (const script of [...cannot, httpResponse(200, { nothing: 'of that' }), chatAnswer('no count')]) {
    world.model.enqueue(script);
    const { data, response } = await world.client.responses.inputTokens.count({ model: 'm', input: 'x'.repeat(400) }).withResponse();
    assert.deepEqual(data, { object: 'response.input_tokens', input_tokens: 104, estimated: true });
    assert.equal(response.headers.get('x-turnkeep-estimated'), 'true');
  }
});

const stated = (message: string, more: object = {}) => ({
  error: { message, type: 'invalid_request_error', param: null, code: null, ...more },
});

test('openai: what the provider does not take is told in its words, and is no estimate', async () => {
  await using world = await World.open({ api: 'responses' });
  const count = async (script: Script): Promise<unknown> => {
    world.model.enqueue(script);
    return world.client.responses.inputTokens.count({ model: 'm', input: 'x' }).catch((error: unknown) => error);
  };
  for (const [status, words, more] of [
    [400, 'The image is broken.', { param: 'input[0].content[1]' }],
    [422, 'No such voice.', {}],
  ] as const) {
    const error = await count(httpError(status, stated(words, more)));
    assert.ok(error instanceof BadRequestError);
    assert.deepEqual([error.code, error.message], ['provider_rejected', `400 ${words}`]);
  }
  const tooLong = await count(httpError(400, stated('This is too long for the context window.', { code: 'context_length_exceeded' })));
  assert.ok(tooLong instanceof BadRequestError && tooLong.code === 'context_length_exceeded');
  for (const more of [{ code: 'model_not_found' }, { param: 'model', code: 404, type: 'NotFoundError' }, { type: 'not_found_error' }]) {
    const error = await count(httpError(404, stated("The model 'm' does not exist.", more)));
    assert.ok(error instanceof NotFoundError);
    assert.deepEqual([error.param, error.code, error.message], ['model', 'model_not_found', "404 The model 'm' does not exist."]);
  }
  for (const script of [
    httpError(404, stated('Invalid URL (POST /v1/responses/input_tokens)')),
    httpError(404, { detail: 'Not Found' }),
    httpError(400, stated('The operation input_tokens is not supported.')),
  ]) {
    const estimate = (await count(script)) as { readonly estimated?: boolean };
    assert.equal(estimate.estimated, true);
  }
});

test('openai: a chat provider is not asked: what was said in the conversation counts, and the input too', async () => {
  await using world = await World.open();
  const conversation = await world.session();
  const { inputTokens } = world.client.responses;
  const count = async (body: object) => (await inputTokens.count({ model: 'scripted', ...body })).input_tokens;
  assert.equal(await count({ conversation }), 0);
  await world.client.responses.create({ model: 'scripted', input: 'x'.repeat(40), conversation });
  assert.equal(world.model.requests.length, 1);
  const past = 4 + 10 + (4 + 3);
  assert.equal(await count({ conversation }), past);
  assert.equal(await count({ conversation, input: 'x'.repeat(40) }), past + 14);
  assert.equal(await count({ input: [{ role: 'user', content: 'x'.repeat(40) }] }), 14);
  assert.equal((await inputTokens.count()).input_tokens, 0, 'nothing, by the model that is configured');
  assert.equal(world.model.requests.length, 1, 'nothing was asked');
  await assert.rejects(count({ conversation: 'conv_nobody' }), NotFoundError);
  await assert.rejects(count({ previous_response_id: 'resp_nobody' }), BadRequestError);
  await assert.rejects(count({ previous_response_id: 'resp_a', conversation }), BadRequestError);
  await assert.rejects(count({ input: [{ type: 'item_reference', id: 'msg_nobody' }] }), NotFoundError);
  await assert.rejects(count({ input: 'x', wrong: 1 }), /wrong/);
  assert.equal((await world.call('POST', '/responses/input_tokens', { input: 'x' })).status, 200, 'without /v1 too');
});

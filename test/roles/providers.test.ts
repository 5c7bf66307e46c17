/** Providers have names: the environment's is `default`, the others are the configuration's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noAgents, readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { providerOf, Providers } from '../../src/roles/providers.ts';
import { httpError } from '../../src/testing/model-server/index.ts';
import { serverFor } from '../providers/support.ts';

const environment = { api: 'chat', baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k', model: 'm' } as const;
const limits = { connectTimeoutMs: 5_000, firstEventTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

test('an agent has the provider of its name, and no other', () => {
  const config = readAgentConfig(
    defineConfig({
      providers: { openai: { apiKey: 'o' } },
      agents: { writer: { model: 'openai/gpt-5' }, reader: { model: 'llama' } },
    }),
  );
  const of = (name: string) => providerOf(config.agents.get(name) ?? { provider: name }, environment, config);
  assert.deepEqual(of('writer'), { api: 'responses', apiKey: 'o' });
  assert.deepEqual(of('reader'), { api: 'chat', baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k' });
  for (const name of ['gone', 'http://127.0.0.1:2/v1', 'toString']) {
    assert.throws(() => of(name), { message: `this process's configuration has no provider ${JSON.stringify(name)}` });
  }
  assert.throws(() => new Providers({ provider: environment, limits }, noAgents).of('openai'), /has no provider "openai"/);
});

test('a provider is made when it is first asked for, once, and asks its own server', async (t) => {
  const [first, second] = [await serverFor(t), await serverFor(t, { models: httpError(401) })];
  const config = readAgentConfig(defineConfig({ providers: { other: { baseUrl: second.baseUrl } } }));
  const providers = new Providers({ provider: { api: 'chat', baseUrl: first.baseUrl }, limits }, config);
  t.after(() => providers.close());
  assert.equal(providers.of('other'), providers.of('other'));
  const { signal } = new AbortController();
  assert.deepEqual(await providers.of('default').listModels(signal), ['scripted']);
  await assert.rejects(
    providers.of('other').listModels(signal),
    (error: { failure?: { code: string } }) => error.failure?.code === 'provider_rejected',
  );
});

/** What makes an agent another one, and what does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { type AgentDefinition, type ConfigDefinition, configMark } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';

const searchWith = (change: object = {}) =>
  defineTool({ description: 'Searches.', input: z.object({ query: z.string() }), run: () => 1, ...change });

const base = {
  providers: { local: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'a' } },
  tools: { search: searchWith(), other: searchWith() },
  mcpServers: { files: { command: 'files', env: { TOKEN: 'a' } } },
  agents: {
    writer: {
      model: 'local/m',
      instructions: 'Write.',
      tools: ['search', 'mcp:files', 'agent:reader'],
      settings: { temperature: 0, top_p: 1 },
    },
    reader: { model: 'm' },
    lonely: { model: 'm' },
  } as { readonly [name: string]: AgentDefinition },
} satisfies ConfigDefinition;

const fingerprint = (change: ConfigDefinition = {}, agent = 'writer'): string | undefined =>
  readAgentConfig({ [configMark]: { ...base, ...change } }).fingerprints.get(agent);

const withWriter = (change: Partial<AgentDefinition>): ConfigDefinition => ({
  agents: { ...base.agents, writer: { ...base.agents['writer']!, ...change } },
});
const withReader = (change: Partial<AgentDefinition>): ConfigDefinition => ({
  agents: { ...base.agents, reader: { model: 'm', ...change } },
});

for (const [what, change] of [
  ['the model', withWriter({ model: 'local/n' })],
  ['the instructions', withWriter({ instructions: 'Write!' })],
  ['a tool less', withWriter({ tools: ['search', 'mcp:files'] })],
  ['the order of tools', withWriter({ tools: ['mcp:files', 'search', 'agent:reader'] })],
  ['a setting', withWriter({ settings: { temperature: 1, top_p: 1 } })],
  ['a limit', withWriter({ limits: { steps: 3 } })],
  ['what happens at the end of the context', withWriter({ compaction: 'off' })],
  ['an agent that it calls', withReader({ instructions: 'Read.' })],
  ["a tool's schema", { tools: { ...base.tools, search: searchWith({ input: z.object({ query: z.int() }) }) } }],
  ["a tool's description", { tools: { ...base.tools, search: searchWith({ description: 'Finds.' }) } }],
  ["a tool's attempts", { tools: { ...base.tools, search: searchWith({ attempts: 2 }) } }],
  ["a tool's time", { tools: { ...base.tools, search: searchWith({ timeoutMs: 1 }) } }],
  ['who must agree', { tools: { ...base.tools, search: searchWith({ needsApproval: true }) } }],
  ['that a function says who must agree', { tools: { ...base.tools, search: searchWith({ needsApproval: () => false }) } }],
  ['the program of a server', { mcpServers: { files: { command: 'others' } } }],
  ['which tools of a server wait', { mcpServers: { files: { command: 'files', needsApproval: 'never' } } }],
  ['the address of the provider', { providers: { local: { baseUrl: 'http://127.0.0.1:2/v1' } } }],
] as [string, ConfigDefinition][]) {
  test(`another agent by: ${what}`, () => {
    assert.notEqual(fingerprint(change), fingerprint());
  });
}

for (const [what, change] of [
  ['keys', { providers: { local: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'b' } } }],
  ['the secrets of a server', { mcpServers: { files: { command: 'files', env: { TOKEN: 'b' } } } }],
  ['the code of a tool', { tools: { ...base.tools, search: searchWith({ run: () => 2 }) } }],
  ['a tool that it does not have', { tools: { ...base.tools, other: searchWith({ description: 'x' }) } }],
  ['an agent that it does not call', { agents: { ...base.agents, lonely: { model: 'x' } } }],
  ['the order of settings', withWriter({ settings: { top_p: 1, temperature: 0 } })],
  ['prices', { prices: { m: { input: 1, output: 1 } } }],
] as [string, ConfigDefinition][]) {
  test(`the same agent with other: ${what}`, () => {
    assert.equal(fingerprint(change), fingerprint());
  });
}

test('it is the same in every process', () => {
  assert.equal(fingerprint({}, 'lonely'), '0734b0383fbc1f5ac41aef37cdb523b7');
});

/** What a configuration becomes, and every mistake in one, with its path. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { type AgentConfig, readAgentConfig } from '../../src/config/agent-config.ts';
import { ConfigError } from '../../src/config/config.ts';
import { type ConfigDefinition, configMark } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import { priceOf } from '../../src/domain/agents/agent.ts';

const search = defineTool({ description: 'Searches.', input: z.object({ query: z.string() }), run: ({ query }) => query });

/** As JavaScript would give it: of any form. */
function read(config: unknown): AgentConfig {
  return readAgentConfig({ [configMark]: config as ConfigDefinition });
}

function mistakesIn(config: unknown): readonly string[] {
  try {
    read(config);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('a provider keeps answers where it is asked to, and speaks the Responses API', () => {
  const { providers } = read({ providers: { openai: { reattach: true }, plain: { reattach: false, baseUrl: 'http://127.0.0.1/v1' } } });
  assert.deepEqual([providers.get('openai'), providers.get('plain')?.reattach], [{ api: 'responses', reattach: true }, undefined]);
  assert.deepEqual(
    mistakesIn({ providers: { local: { baseUrl: 'http://127.0.0.1/v1', reattach: true }, other: { api: 'chat', reattach: true } } }),
    [
      'providers.local.reattach: needs the Responses API in background mode; over Chat Completions no answer can be read on',
      'providers.other.reattach: needs the Responses API in background mode; over Chat Completions no answer can be read on',
    ],
  );
});

test('an agent has its defaults, and its model the provider that the file has', () => {
  const { agents, providers, mcpServers, prices, limits } = read({
    providers: {
      local: { baseUrl: 'http://127.0.0.1:11434/v1', apiKey: '' },
      azure: { baseUrl: 'https://eu.api.openai.com/v1', apiKey: 'k' },
    },
    tools: { search },
    mcpServers: {
      files: { command: 'npx', args: ['x'], env: { A: 'b', C: undefined } },
      hub: { url: 'https://h.example/mcp?a=b', needsApproval: ['rm'] },
    },
    agents: {
      writer: {
        model: 'local/google/gemma-3',
        instructions: 'Write.',
        tools: ['search', 'mcp:files', 'agent:plain'],
        settings: { temperature: 0 },
      },
      plain: { model: 'google/gemma-3' },
      bounded: { model: 'default/gpt-5', tools: ['search'], limits: { steps: 7, costUsd: 1 }, compaction: 'off' },
    },
    prices: { 'gpt-5': { input: 1.25, cachedInput: 0.1, output: 10 }, 'local/gpt-5': { input: 0, output: 0 } },
    limits: { session: { wallTimeMs: 1_000 } },
  });
  assert.deepEqual(Object.fromEntries(agents), {
    writer: {
      name: 'writer',
      provider: 'local',
      model: 'google/gemma-3',
      instructions: 'Write.',
      tools: ['search', 'mcp:files', 'agent:plain'],
      settings: { temperature: 0 },
      limits: { steps: 100 },
      compaction: 'auto',
    },
    plain: { name: 'plain', provider: 'default', model: 'google/gemma-3', tools: [], settings: {}, limits: {}, compaction: 'auto' },
    bounded: {
      name: 'bounded',
      provider: 'default',
      model: 'gpt-5',
      tools: ['search'],
      settings: {},
      limits: { steps: 7, costUsd: 1 },
      compaction: 'off',
    },
  });
  assert.deepEqual(Object.fromEntries(providers), {
    local: { api: 'chat', baseUrl: 'http://127.0.0.1:11434/v1' },
    azure: { api: 'responses', baseUrl: 'https://eu.api.openai.com/v1', apiKey: 'k' },
  });
  assert.deepEqual(Object.fromEntries(mcpServers), {
    files: { name: 'files', needsApproval: 'always', command: 'npx', args: ['x'], env: { A: 'b' } },
    hub: { name: 'hub', needsApproval: ['rm'], url: 'https://h.example/mcp?a=b', headers: {} },
  });
  assert.deepEqual(limits, { turn: {}, session: { wallTimeMs: 1_000 } });
  assert.deepEqual(priceOf({ provider: 'default', model: 'gpt-5' }, prices), { input: 1.25, cachedInput: 0.1, output: 10 });
  assert.deepEqual(priceOf({ provider: 'local', model: 'gpt-5' }, prices), { input: 0, output: 0 });
  assert.equal(priceOf({ provider: 'local', model: 'o3' }, prices), undefined);
  assert.ok(Object.isFrozen(agents.get('writer')) && Object.isFrozen(agents.get('writer')?.limits) && Object.isFrozen(limits.turn));
});

test('a limit of steps of all turns stands instead of the default of agents with tools', () => {
  const { agents } = read({ tools: { search }, agents: { a: { model: 'm', tools: ['search'] } }, limits: { turn: { steps: 500 } } });
  assert.deepEqual(agents.get('a')?.limits, {});
});

const agentWith = (...tools: string[]) => ({ a: { model: 'm', tools } });

for (const [config, ...mistakes] of [
  [{}],
  [[], 'the configuration: must be an object'],
  [{ agent: {} }, 'agent: is not known; did you mean "agents"?'],
  [{ agents: [] }, 'agents: must be an object, a member for each name'],
  [{ agents: { a: {} } }, 'agents.a.model: is missing, and must be a text'],
  [{ agents: { a: { model: ' ' } } }, 'agents.a.model: is empty'],
  [{ agents: { a: { model: 'm', instruction: 'x' } } }, 'agents.a.instruction: is not known; did you mean "instructions"?'],
  [
    { agents: { a: { model: 'm', verbose: true } } },
    'agents.a.verbose: is not known (there are model, description, instructions, tools, settings, limits, compaction, contextTokens)',
  ],
  [{ agents: { 'my agent': { model: 'm' } } }, 'agents["my agent"]: a name has 1 to 64 letters, digits, "_" and "-"'],
  [{ agents: { a: { model: 'm', compaction: 'on' } } }, 'agents.a.compaction: must be auto or error or off'],
  [{ agents: { a: { model: 'm', limits: { steps: 0 } } } }, 'agents.a.limits.steps: must be a whole number from 1 on'],
  [{ agents: { a: { model: 'm', limits: { steps: 1.5 } } } }, 'agents.a.limits.steps: must be a whole number from 1 on'],
  [{ agents: { a: { model: 'm', limits: { steps: '9' } } } }, 'agents.a.limits.steps: must be a whole number from 1 on'],
  [{ limits: { turn: { costUsd: 0 } } }, 'limits.turn.costUsd: must be more than 0'],
  [{ limits: { turn: { costUsd: Number.NaN } } }, 'limits.turn.costUsd: must be a number of US dollars'],
  [{ limits: { turns: {} } }, 'limits.turns: is not known; did you mean "turn"?'],
  [
    { agents: { a: { model: 'm', settings: { temprature: 1 } } } },
    'agents.a.settings.temprature: is not known; did you mean "temperature"?',
  ],
  [{ agents: { a: { model: 'm', settings: { reasoning: { effort: () => 1 } } } } }, 'agents.a.settings.reasoning.effort: must be JSON'],
  [{ agents: agentWith('serch'), tools: { search } }, 'agents.a.tools[0]: no tool "serch"; did you mean "search"?'],
  [{ agents: agentWith('other'), tools: { search } }, 'agents.a.tools[0]: no tool "other" (there are search, agent:a)'],
  [
    { agents: agentWith('files'), mcpServers: { files: { command: 'x' } } },
    'agents.a.tools[0]: no tool "files"; did you mean "mcp:files"?',
  ],
  [{ agents: agentWith('mcp:search'), tools: { search } }, 'agents.a.tools[0]: no MCP server "search"; did you mean "search"?'],
  [{ agents: agentWith('agent:writr'), tools: {} }, 'agents.a.tools[0]: no agent "writr" (there is agent:a)'],
  [
    { agents: agentWith('toString', 'agent:toString') },
    'agents.a.tools[0]: no tool "toString" (there is agent:a)',
    'agents.a.tools[1]: no agent "toString" (there is agent:a)',
  ],
  [{ agents: agentWith('search', 'search'), tools: { search } }, 'agents.a.tools[1]: "search" is there already'],
  [
    { agents: { a: { model: 'm', tools: [1, 'x'] } } },
    'agents.a.tools[0]: must be a text',
    'agents.a.tools[1]: no tool "x" (there is agent:a)',
  ],
  [{ agents: agentWith('agent:a') }, 'agents.a.tools[0]: agents call each other in a circle (a > a)'],
  [
    {
      agents: {
        a: { model: 'm', tools: ['agent:b'] },
        b: { model: 'm', tools: ['agent:c', 'agent:d'] },
        c: { model: 'm', tools: ['agent:d', 'agent:b'] },
        d: { model: 'm' },
      },
    },
    'agents.c.tools[1]: agents call each other in a circle (b > c > b)',
  ],
  [
    {
      agents: Object.fromEntries(
        Array.from({ length: 9 }, (_, at) => [`a${at}`, { model: 'm', tools: at === 8 ? [] : [`agent:a${at + 1}`] }]),
      ),
    },
    'agents.a0.tools: 9 agents would wait for each other; at most 8 can',
  ],
  [{ agents: { a: { model: 'local/' } }, providers: { local: {} } }, 'agents.a.model: names the provider local, and no model'],
  [
    { providers: { default: {} } },
    "providers.default: default is the environment's (OPENAI_BASE_URL, OPENAI_API_KEY); give this one another name",
  ],
  [
    { providers: { p: { baseUrl: 'ftp://user:secret@x', apiKey: 7, api: 'http' } } },
    'providers.p.baseUrl: must be an http:// or https:// address, without user, password or query (such as http://127.0.0.1:11434/v1)',
    'providers.p.apiKey: must be a text',
    'providers.p.api: must be chat or responses',
  ],
  [
    { mcpServers: { turnkeep: { command: 'x' } } },
    "mcpServers.turnkeep: turnkeep stands for tools of turnkeep's own; give the server another name",
  ],
  [{ mcpServers: { x: {} } }, 'mcpServers.x: has neither command nor url'],
  [{ mcpServers: { x: { command: 'x', url: 'http://x' } } }, 'mcpServers.x: has command and url; a server has one of them'],
  [{ mcpServers: { x: { url: 'http://x', args: [] } } }, 'mcpServers.x.args: is for a command, and this server has a url'],
  [{ mcpServers: { x: { command: 'x', headers: {} } } }, 'mcpServers.x.headers: is for a url, and this server has a command'],
  [{ mcpServers: { x: { url: 'x' } } }, 'mcpServers.x.url: must be an http:// or https:// address'],
  [{ mcpServers: { x: { url: 'http://a:b@x' } } }, 'mcpServers.x.url: must have no user and no password: see headers'],
  [{ mcpServers: { x: { command: 'x', needsApproval: true } } }, 'mcpServers.x.needsApproval: must be always, never, or a list of tools'],
  [{ mcpServers: { x: { command: 'x', env: { A: 1 } } } }, 'mcpServers.x.env.A: must be a text'],
  [
    { prices: { m: { input: -1 } } },
    'prices.m.input: must not be negative',
    'prices.m.output: is missing, and must be a number of US dollars',
  ],
  [
    {
      agents: { a: { model: 'm', limits: { costUsd: 1 }, tools: ['agent:b'] }, b: { model: 'n' } },
      prices: { m: { input: 1, output: 1 } },
    },
    'agents.a.limits.costUsd: what b costs is not known; give its model a price in prices',
  ],
  [
    { agents: { a: { model: 'm' }, b: { model: 'm', tools: ['agent:a'] } }, limits: { session: { costUsd: 1 } } },
    'limits.session.costUsd: what a costs is not known; give its model a price in prices',
    'limits.session.costUsd: what b costs is not known; give its model a price in prices',
  ],
  [{ tools: { 'a.b': search } }, 'tools["a.b"]: a name has 1 to 64 letters, digits, "_" and "-"'],
  [{ tools: { a: { description: 'x' } } }, 'tools.a: must be made by defineTool({ … }) of turnkeep/config'],
  [
    {
      tools: {
        a: defineTool({ description: '', input: 7, run: 'x', attempts: 11, timeoutMs: 0, needsApproval: 'x', retries: 1 } as never),
      },
    },
    'tools.a.description: is empty',
    'tools.a.input: must be a schema of zod 4, such as z.object({ … })',
    'tools.a.run: must be a function',
    'tools.a.attempts: must be a whole number from 1 to 10',
    'tools.a.timeoutMs: must be a whole number from 1 to 2147483647',
    'tools.a.needsApproval: must be true, false, or a function of the arguments',
    'tools.a.retries: is not known (there are description, input, run, attempts, timeoutMs, needsApproval)',
  ],
  [
    {
      tools: {
        day: defineTool({ description: 'x', input: z.object({ day: z.date() }), run: () => 1 }),
        text: defineTool({ description: 'x', input: z.string(), run: () => 1 }),
      },
    },
    'tools.day.input: Date cannot be represented in JSON Schema',
    'tools.text.input: must be of an object, such as z.object({ … }): a model calls with named arguments',
  ],
] satisfies [unknown, ...string[]][]) {
  test(`${JSON.stringify(config).slice(0, 90)}: ${mistakes.length === 0 ? 'is right' : 'every mistake, with its path'}`, () => {
    assert.deepEqual(mistakesIn(config), mistakes);
  });
}

test('no mistake repeats what may be secret', () => {
  const secret = 'sk-very-secret';
  const mistakes = mistakesIn({
    providers: { p: { baseUrl: `http://${secret}@x`, apiKey: [secret] } },
    mcpServers: { s: { url: `ftp://${secret}`, headers: { authorization: { secret } } }, t: { command: 'x', env: { KEY: [secret] } } },
  });
  assert.equal(mistakes.length, 5);
  assert.doesNotMatch(mistakes.join('\n'), /very-secret/);
});

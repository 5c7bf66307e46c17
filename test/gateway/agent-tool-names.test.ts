/** Names that a request's tools cannot have, because the agent's own have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent } from '../../src/domain/agents/agent.ts';
import { defaultSettings, type Tool } from '../../src/domain/response/response-settings.ts';
import { type AgentDirectory, withAgent } from '../../src/gateway/submit/agent-settings.ts';
import { ApiError } from '../../src/gateway/http/errors.ts';

const helper: Agent = {
  name: 'helper',
  provider: 'default',
  model: 'big',
  tools: ['look', 'agent:clerk', 'mcp:files'],
  settings: {},
  limits: {},
  compaction: 'auto',
};
const directory: AgentDirectory = { agents: new Map([['helper', helper]]), mcpServers: new Set(['files']), apiOf: () => 'chat' };

const functionOf = (name: string): Tool => ({ type: 'function', name, description: null, parameters: null, strict: null });

function ask(model: string, ...tools: readonly Tool[]): readonly Tool[] {
  return withAgent(directory, { ...defaultSettings(model), tools: [...tools] }).settings.tools;
}

function refusal(...tools: readonly Tool[]): readonly (string | null)[] {
  try {
    ask('helper', ...tools);
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return [error.body.param, error.message];
  }
  return [];
}

test('a function with the name of a tool of the agent is refused, with what mends it', () => {
  assert.deepEqual(refusal(functionOf('mine'), functionOf('look')), [
    'tools[1]',
    "Invalid 'tools[1]': the name 'look' is taken. Agent 'helper' has a tool of that name, and turnkeep carries out its calls. Leave yours out, or give it another name.",
  ]);
});

test('so is one with the name of an agent that it calls, and a custom tool', () => {
  assert.deepEqual(refusal(functionOf('clerk')), [
    'tools[0]',
    "Invalid 'tools[0]': the name 'clerk' is taken. Agent 'helper' has 'agent:clerk', which the model knows by that name, and turnkeep carries out its calls. Leave yours out, or give it another name.",
  ]);
  assert.equal(refusal({ type: 'custom', name: 'look', description: null })[0], 'tools[0]');
});

test('names of servers, of other agents, and those of a request of no agent are free', () => {
  assert.deepEqual(refusal(functionOf('files'), functionOf('helper'), functionOf('turnkeep_look')), []);
  assert.deepEqual(ask('other', functionOf('look')), [functionOf('look')]);
});

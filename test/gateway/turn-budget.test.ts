/** The limits of a turn are resolved when it is taken in: from its agent, from those of all turns, and from the request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent, Limits } from '../../src/domain/agents/agent.ts';
import type { Budget } from '../../src/domain/turn/budget.ts';
import { unsupportedBy } from '../../src/domain/provider-capabilities.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { type AgentDirectory, withAgent } from '../../src/gateway/submit/agent-settings.ts';

const helper: Agent = {
  name: 'helper',
  provider: 'router',
  model: 'big',
  tools: ['look'],
  settings: {},
  limits: { steps: 5, costUsd: 1 },
  compaction: 'auto',
};
const price = { input: 3, output: 15 };

function directory(turn: Limits = {}, session: Limits = {}): AgentDirectory {
  return {
    agents: new Map([['helper', helper]]),
    mcpServers: new Set(['files']),
    apiOf: () => 'chat',
    budgets: { limits: { turn, session }, prices: new Map([['router/big', price]]) },
  };
}

function budgetOf(rules: AgentDirectory | undefined, settings: Partial<ResponseSettings> & { readonly model: string }): Budget | undefined {
  return withAgent(rules, { ...defaultSettings(settings.model), ...settings }).settings.budget;
}

test('of the limits of an agent and of all turns the narrower hold', () => {
  assert.deepEqual(budgetOf(directory({ steps: 3, costUsd: 2, wallTimeMs: 9 }, { costUsd: 20 }), { model: 'helper' }), {
    turn: { steps: 3, costUsd: 1, wallTimeMs: 9 },
    session: { costUsd: 20 },
    price,
  });
});

test('limits of all turns hold for a turn that is of no agent', () => {
  assert.deepEqual(budgetOf(directory({ outputTokens: 100 }), { model: 'other' }), { turn: { outputTokens: 100 }, session: {} });
  assert.deepEqual(budgetOf(directory({}, { steps: 9 }), { model: 'other' }), { turn: {}, session: { steps: 9 } });
});

test('where nothing is limited and no price is known there is no budget', () => {
  assert.equal(budgetOf(undefined, { model: 'helper' }), undefined);
  assert.equal(budgetOf(directory(), { model: 'other' }), undefined);
});

test('max_tool_calls narrows the calls of tools that a worker runs', () => {
  assert.equal(budgetOf(directory(), { model: 'helper', max_tool_calls: 2 })?.turn.toolCalls, 2);
  assert.equal(budgetOf(directory({ toolCalls: 1 }), { model: 'helper', max_tool_calls: 2 })?.turn.toolCalls, 1);
  // Without an agent they are the provider's own.
  assert.equal(budgetOf(directory(), { model: 'other', max_tool_calls: 2 }), undefined);
});

test('a request that brings a configured MCP server has 100 steps, or what the configuration gives every turn', () => {
  const tools = [{ type: 'mcp', server_label: 'files' }] as unknown as ResponseSettings['tools'];
  assert.deepEqual(budgetOf(directory(), { model: 'other', tools })?.turn, { steps: 100 });
  assert.deepEqual(budgetOf(directory({ steps: 300 }), { model: 'other', tools })?.turn, { steps: 300 });
});

test('for a chat provider max_tool_calls is refused where turnkeep runs no tools', () => {
  const given = { ...defaultSettings('helper'), max_tool_calls: 2 };
  assert.equal(unsupportedBy('chat', { settings: given, items: [] })?.param, 'max_tool_calls');
  assert.equal(unsupportedBy('chat', { settings: withAgent(directory(), given).settings, items: [] }), undefined);
});

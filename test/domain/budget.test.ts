import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../src/domain/agents/agent.ts';
import {
  type Budget,
  budgetOfCall,
  costOf,
  type Exceeded,
  exceededBefore,
  exceededBy,
  hasLimits,
  lastStepBy,
  narrowestOf,
  nothingSpent,
  outOfTime,
  overBudget,
  type Spent,
  toolCallsLeft,
  turnTimeMs,
} from '../../src/domain/turn/budget.ts';

const budget = (turn: Limits, session: Limits = {}): Budget => ({ turn, session });
const spent = (some: Partial<Spent> = {}): Spent => ({ ...nothingSpent, ...some });
const both = (some: Partial<Spent> = {}) => ({ turn: spent(some), caller: spent(some), session: spent(some) });
const of = (limit: Exceeded['limit'], value: number, used: number): Exceeded => ({ of: 'turn', limit, value, spent: used });

const before: readonly [title: string, budget: Budget, spent: Partial<Spent>, expected: Exceeded | undefined][] = [
  ['without limits nothing is exceeded', budget({}), { steps: 9_999, costUsd: 9_999 }, undefined],
  ['below its limit a step may be asked for', budget({ steps: 3 }), { steps: 2 }, undefined],
  ['at its limit no other step is asked for', budget({ steps: 3 }), { steps: 3 }, of('steps', 3, 3)],
  ['tokens below their limit leave some', budget({ outputTokens: 100 }), { outputTokens: 99 }, undefined],
  ['tokens at their limit leave nothing', budget({ outputTokens: 100 }), { outputTokens: 100 }, of('outputTokens', 100, 100)],
  ['money', budget({ costUsd: 0.5 }), { costUsd: 0.51 }, of('costUsd', 0.5, 0.51)],
  ['time', budget({ wallTimeMs: 1_000 }), { wallTimeMs: 1_000 }, of('wallTimeMs', 1_000, 1_000)],
  ['calls of tools at their limit keep no request back: the model may still answer', budget({ toolCalls: 1 }), { toolCalls: 1 }, undefined],
];

for (const [title, limits, used, expected] of before) {
  test(`before a request: ${title}`, () => {
    assert.deepEqual(exceededBefore(limits, both(used)), expected);
  });
}

test('a session has limits of its own, for what all of its turns have spent', () => {
  const spending = { turn: spent({ steps: 1 }), caller: spent({ steps: 1 }), session: spent({ steps: 10 }) };
  assert.deepEqual(exceededBefore(budget({ steps: 5 }, { steps: 10 }), spending), { of: 'session', limit: 'steps', value: 10, spent: 10 });
  assert.equal(exceededBefore(budget({ steps: 5 }, { steps: 11 }), spending), undefined);
});

test('a running request is over its limit past it, and not at it', () => {
  const limits = budget({ outputTokens: 100 }, { costUsd: 1 });
  const spending = { turn: spent({ outputTokens: 60 }), caller: spent({ outputTokens: 60 }), session: spent({ costUsd: 0.9 }) };
  assert.equal(exceededBy(limits, spending, { outputTokens: 40, costUsd: 0.05 }), undefined);
  assert.deepEqual(exceededBy(limits, spending, { outputTokens: 41, costUsd: 0 }), of('outputTokens', 100, 101));
  const costly = exceededBy(limits, spending, { outputTokens: 0, costUsd: 0.2 });
  assert.deepEqual([costly?.of, costly?.limit], ['session', 'costUsd']);
});

test('the last step is the one that reaches the limit of steps, or comes behind the last tool call', () => {
  assert.equal(lastStepBy(budget({ steps: 3 }), both({ steps: 1 })), undefined);
  assert.deepEqual(lastStepBy(budget({ steps: 3 }), both({ steps: 2 })), of('steps', 3, 3));
  assert.equal(lastStepBy(budget({ toolCalls: 2 }), both({ toolCalls: 1 })), undefined);
  assert.deepEqual(lastStepBy(budget({ toolCalls: 2 }), both({ toolCalls: 2 })), of('toolCalls', 2, 2));
});

test('calls that are left are those that turn and session both leave', () => {
  assert.equal(toolCallsLeft(budget({}), both({ toolCalls: 50 })), Number.POSITIVE_INFINITY);
  assert.equal(toolCallsLeft(budget({ toolCalls: 5 }), both({ toolCalls: 2 })), 3);
  const spending = { turn: spent({ toolCalls: 2 }), caller: spent({ toolCalls: 2 }), session: spent({ toolCalls: 9 }) };
  assert.equal(toolCallsLeft(budget({ toolCalls: 5 }, { toolCalls: 10 }), spending), 1);
  assert.equal(toolCallsLeft(budget({ toolCalls: 1 }), both({ toolCalls: 2 })), 0);
});

test('of limits from several places the narrowest holds', () => {
  assert.deepEqual(narrowestOf({ steps: 5, costUsd: 1 }, { steps: 7 }, { toolCalls: 2 }), { steps: 5, toolCalls: 2, costUsd: 1 });
  assert.deepEqual(narrowestOf(), {});
});

test('the message names the limit, its value and what was spent', () => {
  const { code, message } = overBudget({ of: 'session', limit: 'costUsd', value: 20, spent: 0.1 + 0.2 + 20 });
  assert.equal(code, 'budget_exceeded');
  assert.equal(
    message,
    'The budget of the conversation is used up: its limit of costUsd is 20, and 20.3 were spent. What had arrived is kept.',
  );
});

test('a turn is out of time by its own limit, or by that of the installation', () => {
  assert.equal(outOfTime(undefined).code, 'turn_timeout');
  assert.equal(outOfTime(budget({ steps: 1 })).code, 'turn_timeout');
  assert.equal(outOfTime(budget({ wallTimeMs: 5_000 })).code, 'budget_exceeded');
  assert.match(outOfTime(budget({ wallTimeMs: 5_000 }), 2.7).message, /wallTimeMs is 5000, and 5003 were spent/);
  assert.equal(turnTimeMs(budget({ wallTimeMs: 7_200_000 }), 3_600_000), 7_200_000);
  assert.equal(turnTimeMs(budget({}), 3_600_000), 3_600_000);
});

test('what is cached costs what cached input costs', () => {
  const usage = {
    input_tokens: 1_000_000,
    input_tokens_details: { cached_tokens: 400_000 },
    output_tokens: 100_000,
    output_tokens_details: { reasoning_tokens: 50_000 },
    total_tokens: 1_100_000,
  };
  assert.equal(costOf(usage, { input: 3, cachedInput: 0.3, output: 15 }), 1.8 + 0.12 + 1.5);
  assert.equal(costOf(usage, { input: 3, output: 15 }), 4.5);
});

test('a price alone is no limit', () => {
  assert.equal(hasLimits(undefined), false);
  assert.equal(hasLimits({ ...budget({}), price: { input: 1, output: 1 } }), false);
  assert.equal(hasLimits(budget({}, { steps: 1 })), true);
});

test('a turn that carries out a call of an agent has its own limits, and those of the turn that a client asked for', () => {
  const price = { input: 1, output: 2 };
  const root: Budget = { turn: { costUsd: 1 }, session: { steps: 50 }, price };
  const child = budgetOfCall({ steps: 3 }, root, undefined);
  assert.deepEqual(child, { turn: { steps: 3 }, caller: { costUsd: 1 }, session: { steps: 50 } });
  assert.deepEqual(budgetOfCall({}, child, price), { turn: {}, caller: { costUsd: 1 }, session: { steps: 50 }, price });
  assert.equal(budgetOfCall({}, undefined, undefined), undefined);
  const spending = { turn: spent({ steps: 1 }), caller: spent({ costUsd: 1 }), session: spent() };
  const exceeded = child && exceededBefore(child, spending);
  assert.deepEqual(exceeded, { of: 'caller', limit: 'costUsd', value: 1, spent: 1 });
  assert.match(overBudget(exceeded ?? of('steps', 1, 1)).message, /The budget of the turn that called this one is used up/);
});

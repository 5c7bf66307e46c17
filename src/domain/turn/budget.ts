/**
 * Budgets: what a turn, and all turns of its session, may use up, and what they have. The limits that hold for a turn are
 * resolved when it is taken in, so that every worker decides by the same ones. Pure.
 */
import type { Limits, Price } from '../agents/agent.ts';
import type { AttemptRow } from './attempt.ts';
import { stepsAsked } from '../prompt/overflow.ts';
import { type Failure, failureOf } from '../failure.ts';
import type { Usage } from '../response/response.ts';

/** The limits of a turn, and the price of its model. */
export interface Budget {
  readonly turn: Limits;
  /** Of the turn that a client asked for, where this one carries out a call of an agent for it: together with all that it calls. */
  readonly caller?: Limits;
  /** Of all turns of its session together; of a call of an agent, of the session of the turn that a client asked for. */
  readonly session: Limits;
  /** Absent: nobody has said, and nothing is counted. */
  readonly price?: Price;
}

export type LimitName = keyof Limits;

/** `steps` are those that were asked for, `toolCalls` those that were made. */
export type Spent = { readonly [name in LimitName]-?: number };

/** What was spent before something is to be done. */
export interface Spending {
  /** With the turns that it called. */
  readonly turn: Spent;
  /** By the turn that a client asked for, with all that it called: the turn itself, where a client did. */
  readonly caller: Spent;
  /** By all of its session, the turn itself included; by the turn alone where it is of none. */
  readonly session: Spent;
}

/** What one request took, as the provider counted it, or as it was estimated where it has not. */
export interface RequestSpent {
  readonly outputTokens: number;
  /** 0 where no price is known. */
  readonly costUsd: number;
}

export const nothingSpent: Spent = { steps: 0, toolCalls: 0, outputTokens: 0, costUsd: 0, wallTimeMs: 0 };

export interface Exceeded {
  readonly of: keyof Spending;
  readonly limit: LimitName;
  readonly value: number;
  readonly spent: number;
}

const limitNames = ['steps', 'toolCalls', 'outputTokens', 'costUsd', 'wallTimeMs'] as const satisfies readonly LimitName[];

export function sumOfSpent(one: Spent, other: Spent): Spent {
  return spentBy((name) => one[name] + other[name]);
}

function spentBy(amountOf: (name: LimitName) => number): Spent {
  return Object.fromEntries(limitNames.map((name) => [name, amountOf(name)])) as unknown as Spent;
}

/** What the database knows of a turn. */
export interface SpentFacts {
  /** In the order in which they were booked. */
  readonly attempts: readonly Pick<AttemptRow, 'step' | 'attempt' | 'code' | 'usage' | 'spent'>[];
  /** Those that were begun. */
  readonly toolCalls: number;
  /** Less than nothing where the clock was set back. */
  readonly wallTimeMs: number;
}

/** @param before the steps that count are those before this one; of requests all that have ended */
export function spentOf({ attempts, toolCalls, wallTimeMs }: SpentFacts, before = Number.POSITIVE_INFINITY): Spent {
  let [outputTokens, costUsd] = [0, 0];
  for (const { spent, usage } of attempts) {
    outputTokens += spent?.outputTokens ?? usage?.output_tokens ?? 0;
    costUsd += spent?.costUsd ?? 0;
  }
  return { steps: stepsAsked(attempts, before), toolCalls, outputTokens, costUsd, wallTimeMs: Math.max(0, wallTimeMs) };
}

/** Of each limit the narrowest. */
export function narrowestOf(...all: readonly Limits[]): Limits {
  return Object.fromEntries(
    limitNames.flatMap((name) => {
      const values = all.flatMap((limits) => limits[name] ?? []);
      return values.length === 0 ? [] : [[name, Math.min(...values)]];
    }),
  );
}

export function hasLimits(budget: Budget | undefined): budget is Budget {
  return budget !== undefined && scopes.some((of) => Object.keys(budget[of] ?? {}).length > 0);
}

/** The budget of a turn that carries out a call of an agent: it draws on that of whoever called it, beside its own limits. */
export function budgetOfCall(own: Limits, caller: Budget | undefined, price: Price | undefined): Budget | undefined {
  const budget = { turn: own, caller: caller?.caller ?? caller?.turn ?? {}, session: caller?.session ?? {} };
  if (price === undefined) return hasLimits(budget) ? budget : undefined;
  return { ...budget, price };
}

/** Those that keep a request back: past the last tool call the model may still answer, without tools. */
const ofRequests = limitNames.filter((name) => name !== 'toolCalls');
/** Those that a request uses up while it runs. Time has a clock of its own. */
const whileStreaming = ['outputTokens', 'costUsd'] as const;

/** The limit that leaves nothing for another request; undefined: it may be sent. */
export function exceededBefore(budget: Budget, spending: Spending): Exceeded | undefined {
  return firstOf(budget, spending, ofRequests, (spent, value) => spent >= value);
}

/** The limit that a running request has passed. */
export function exceededBy(budget: Budget, spending: Spending, { outputTokens, costUsd }: RequestSpent): Exceeded | undefined {
  return firstOf(budget, withMore(spending, { ...nothingSpent, outputTokens, costUsd }), whileStreaming, (spent, value) => spent > value);
}

/** The limit that makes the step about to run the turn's last: no tools are carried out behind it. */
export function lastStepBy(budget: Budget, spending: Spending): Exceeded | undefined {
  return firstOf(budget, withMore(spending, { ...nothingSpent, steps: 1 }), ['steps', 'toolCalls'], (spent, value) => spent >= value);
}

function withMore({ turn, caller, session }: Spending, more: Spent): Spending {
  return { turn: sumOfSpent(turn, more), caller: sumOfSpent(caller, more), session: sumOfSpent(session, more) };
}

/** How many calls of tools may still be made. */
export function toolCallsLeft(budget: Budget, spending: Spending): number {
  const left = scopes.map((of) => (budget[of]?.toolCalls ?? Number.POSITIVE_INFINITY) - spending[of].toolCalls);
  return Math.max(0, Math.min(...left));
}

const scopes = ['turn', 'caller', 'session'] as const;

function firstOf(
  budget: Budget,
  spending: Spending,
  names: readonly LimitName[],
  isPast: (spent: number, value: number) => boolean,
): Exceeded | undefined {
  for (const of of scopes) {
    for (const limit of names) {
      const value = budget[of]?.[limit];
      const spent = spending[of][limit];
      if (value !== undefined && isPast(spent, value)) return { of, limit, value, spent };
    }
  }
  return undefined;
}

const whose = { turn: 'turn', caller: 'turn that called this one', session: 'conversation' } as const satisfies Record<
  keyof Spending,
  string
>;

export function overBudget({ of, limit, value, spent }: Exceeded): Failure {
  const message = `The budget of the ${whose[of]} is used up: its limit of ${limit} is ${value}, and ${amount(spent)} were spent. What had arrived is kept.`;
  return failureOf('budget_exceeded', message);
}

/** Sums of dollars have digits that mean nothing. */
function amount(spent: number): number {
  return Number(spent.toFixed(6));
}

/** What a turn fails with whose time is over: by its own limit, or by that of this installation. @param overMs how long it has been over */
export function outOfTime(budget: Budget | undefined, overMs = 0): Failure {
  const value = budget?.turn.wallTimeMs;
  if (value === undefined) return failureOf('turn_timeout');
  return overBudget({ of: 'turn', limit: 'wallTimeMs', value, spent: value + Math.max(0, Math.round(overMs)) });
}

/** How long a turn may take: what its agent or the configuration says, which may be more than what holds where nothing is said. */
export function turnTimeMs(budget: Budget | undefined, otherwiseMs: number): number {
  return budget?.turn.wallTimeMs ?? otherwiseMs;
}

const million = 1_000_000;

/** In US dollars. */
export function costOf({ input_tokens, input_tokens_details, output_tokens }: Usage, price: Price): number {
  const cached = Math.min(input_tokens, input_tokens_details.cached_tokens);
  return ((input_tokens - cached) * price.input + cached * (price.cachedInput ?? price.input) + output_tokens * price.output) / million;
}

/** What the model is told before a step behind which no tool is carried out. */
export function lastStepNote({ limit }: Exceeded): string {
  const why = limit === 'toolCalls' ? 'No more tools can be called: the limit of tool calls is reached.' : 'This is your last step.';
  return `${why} Answer now, with what you know: tools are not run any more.`;
}

/** What the model is told of a call that was not made. */
export const callPastLimit = 'This call was not made: the limit of tool calls is reached. No more tools can be called.';

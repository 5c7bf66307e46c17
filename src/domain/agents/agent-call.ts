/**
 * A call of an agent by another one: a turn of its own, for which nobody but the call waits. What it is asked with, and what the
 * caller is told of its end. Pure.
 */
import type { Agent, Price } from './agent.ts';
import { settingsOfAgent } from './agent-settings.ts';
import { budgetOfCall } from '../turn/budget.ts';
import { type ApprovalRequestItem, isWorkers, type JsonObject, type OutputItem, textOf } from '../item.ts';
import { defaultSettings, type ResponseSettings } from '../response/response-settings.ts';
import { isSettled, type ResponseObject } from '../response/response.ts';
import type { PricedUsage } from '../turn/spent.ts';
import type { TurnRow } from '../turn/turn.ts';

/** Agents that wait for each other, the first one included. */
export const longestAgentChain = 8;

/** What a call of an agent says. */
export const agentInput = {
  type: 'object',
  properties: {
    input: {
      type: 'string',
      description: 'What it is to do, with all that it has to know for that: it sees nothing of this conversation.',
    },
  },
  required: ['input'],
  additionalProperties: false,
} as const satisfies JsonObject;

/** For the model that may call it. */
export function agentDescription({ name, description }: Pick<Agent, 'name' | 'description'>): string {
  return description ?? `Asks the agent "${name}", and gives its answer.`;
}

/** Whoever stands behind the caller's request stands behind this one; what is not to be stored of it is not of this either. Its budget is drawn on. */
export function settingsOfCall(agent: Agent, { settings }: Pick<TurnRow, 'settings'>, price?: Price): ResponseSettings {
  const { store, user, safety_identifier } = settings;
  const asked = settingsOfAgent(agent, { ...defaultSettings(agent.name), store, user, safety_identifier });
  const budget = budgetOfCall(agent.limits, settings.budget, price);
  return budget === undefined ? asked : { ...asked, budget };
}

/** What a call came to, in words for the caller's model. `usage`: tokens of the turn, and of those that it called. */
export type AgentAnswer = ({ readonly type: 'output'; readonly text: string } | { readonly type: 'error'; readonly message: string }) & {
  readonly usage?: PricedUsage;
};

/**
 * @param turn that has its end
 * @param response as it ended; undefined: it is erased
 */
export function answerOf(
  turn: TurnRow,
  response: Pick<ResponseObject, 'output' | 'error' | 'incomplete_details'> | undefined,
): AgentAnswer {
  const { publicId: id, settings, status } = turn;
  const who = `The agent "${settings.model}"`;
  if (!isSettled(status) || response === undefined) return error(`${who} has answered, and its answer (${id}) was deleted.`);
  if (status === 'cancelled') return error(`${who} was stopped before its answer: its turn ${id} was cancelled.`);
  if (status === 'failed') {
    const { code = turn.errorCode ?? 'internal_error', message = '' } = response.error ?? {};
    return error(`${who} failed (${code}). ${message}`.trim());
  }
  const asked = response.output.filter((item) => item.type === 'mcp_approval_request' && isWorkers(item)) as readonly ApprovalRequestItem[];
  if (asked.length > 0) {
    const calls = asked.map(({ name, arguments: text, id: request }) => `${name} with ${text} (${request})`).join('; ');
    const way = `Whoever may decide on that answers with an mcp_approval_response, model "${settings.model}" and previous_response_id "${id}".`;
    return error(
      `${who} stopped before it was done: it needs an approval for ${calls}. ${way} It has not been given, and this call cannot wait for it.`,
    );
  }
  const text = lastWords(response.output);
  if (status === 'completed') return text === '' ? error(`${who} said nothing.`) : { type: 'output', text };
  const reason = response.incomplete_details?.reason ?? 'incomplete';
  return text === ''
    ? error(`${who} gave no answer (${reason}).`)
    : { type: 'output', text: `${text}\n\n[This answer is cut off: ${reason}.]` };
}

/** What it said behind its last call of a tool; where that is nothing, all that it said. */
function lastWords(output: readonly OutputItem[]): string {
  const last = output.findLastIndex(({ type }) => type === 'mcp_call');
  return wordsOf(output.slice(last + 1)) || wordsOf(output);
}

function wordsOf(output: readonly OutputItem[]): string {
  return output.flatMap((item) => (item.type === 'message' ? [textOf(item)] : [])).join('\n\n');
}

function error(message: string): AgentAnswer {
  return { type: 'error', message };
}

/** An agent as a tool of another one: its call is a turn of its own, which whoever makes the tool carries out. */
import type { Agent } from '../domain/agents/agent.ts';
import { type AgentAnswer, agentDescription, agentInput } from '../domain/agents/agent-call.ts';
import { agentServerLabel } from '../domain/agents/function-names.ts';
import { callOfKey } from '../domain/agents/tool-call.ts';
import type { ParentCall } from '../domain/turn/turn.ts';
import { argumentsCheck } from './arguments-check.ts';
import type { WorkerTool } from './tool.ts';

/**
 * **Contract:** the same call again is the same turn: it is waited for, whoever began it. The turn goes on when `signal` aborts,
 * unless its caller's turn has ended. Rejects with the signal's reason once it aborts.
 */
export type CallAgent = (agent: Agent, input: string, call: ParentCall, signal: AbortSignal) => Promise<AgentAnswer>;

export function agentTool(agent: Agent, callAgent: CallAgent): WorkerTool {
  return {
    name: agent.name,
    serverLabel: agentServerLabel,
    description: agentDescription(agent),
    inputSchema: agentInput,
    // A run after a lost worker goes on waiting for the turn that the first one began.
    attempts: Number.POSITIVE_INFINITY,
    // That of the turn itself.
    timeoutMs: Number.POSITIVE_INFINITY,
    needsApproval: () => false,
    check: argumentsCheck(agentInput),
    // `check` lets nothing else pass.
    run: async ({ input }, { idempotencyKey, signal }) => callAgent(agent, input as string, callOfKey(idempotencyKey), signal),
  };
}

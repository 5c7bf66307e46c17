/**
 * Tools that a turn was taken in with, and that the configuration of this worker has no more: a deploy has taken them away while
 * the turn was on its way. They stay in its requests, since some servers refuse earlier calls of what a request does not bring,
 * and a call of one is an error that the model is told. Pure.
 */
import { readToolName } from '../domain/agents/agent.ts';
import { agentServerLabel } from '../domain/agents/function-names.ts';
import { localServerLabel, type ToolList, type WorkerTool } from './tool.ts';

/** @param names as in an agent's `tools` */
export function withGoneTools(lists: readonly ToolList[], names: readonly string[]): readonly ToolList[] {
  const all = new Map(lists.map((list) => [list.serverLabel, list]));
  for (const { kind, name } of names.map(readToolName)) {
    if (kind === 'mcp') {
      all.set(name, { serverLabel: name, tools: [], error: goneWords(name) });
      continue;
    }
    const serverLabel = kind === 'agent' ? agentServerLabel : localServerLabel;
    const known = all.get(serverLabel)?.tools ?? [];
    all.set(serverLabel, { serverLabel, tools: [...known, goneTool(serverLabel, name)] });
  }
  return [...all.values()];
}

function goneTool(serverLabel: string, name: string): WorkerTool {
  const message = `${goneWords(name)} The call was not made.`;
  return {
    name,
    serverLabel,
    description: 'Not available any more: do not call it.',
    inputSchema: { type: 'object' },
    attempts: 1,
    timeoutMs: 1_000,
    needsApproval: () => false,
    check: () => undefined,
    run: async () => ({ type: 'error', message }),
  };
}

function goneWords(name: string): string {
  return `'${name}' is in the configuration no more.`;
}

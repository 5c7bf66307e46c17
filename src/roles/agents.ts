/** What the roles make of the configuration of agents. */
import type { Logger } from 'pino';
import type { Agents } from '../activities/attempt/agents.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { type Config, readVersion } from '../config/config.ts';
import type { AgentDirectory } from '../gateway/submit/agent-settings.ts';
import { agentTool, type CallAgent } from '../tools/agent-tool.ts';
import { createToolBox } from '../tools/tool-box.ts';
import { providerOf, type Providers } from './providers.ts';

/** For the worker: its providers, its tools, and the MCP servers, none of which is started before it is needed. */
export function createAgents(
  { agents, tools, mcpServers }: AgentConfig,
  { providers, callAgent, log }: { readonly providers: Providers; readonly callAgent: CallAgent; readonly log: Logger },
): Agents {
  const callable = new Map(Array.from(agents, ([name, agent]) => [name, agentTool(agent, callAgent)]));
  return {
    providerOf: (name) => {
      try {
        return providers.of(name);
      } catch {
        return undefined;
      }
    },
    toolBox: createToolBox({ tools, mcpServers: [...mcpServers.values()], agents: callable, log, version: readVersion() }),
    log: (message, ids) => {
      log.info({ ...ids }, message);
    },
  };
}

/** For the gateway, which runs no tools. */
export function agentDirectory(
  { agents, mcpServers, providers, limits, prices }: AgentConfig,
  { provider }: Pick<Config, 'provider'>,
): AgentDirectory {
  return {
    agents,
    mcpServers: new Set(mcpServers.keys()),
    budgets: { limits, prices },
    apiOf: (name) => providerOf({ provider: name }, provider, { providers }).api,
  };
}

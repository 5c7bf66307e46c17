/** What an agent is, in 32 hex digits: a gateway and a worker compare them where they were started with configurations of their own. */
import { createHash } from 'node:crypto';
import { type Agent, readToolName } from '../domain/agents/agent.ts';
import type { McpServer } from '../tools/mcp-server.ts';
import type { WorkerTool } from '../tools/tool.ts';
import type { ProviderSettings } from './agent-config.ts';

export interface FingerprintParts {
  readonly agent: Agent;
  /** Of the file; that of the environment is not part of it. */
  readonly provider?: Pick<ProviderSettings, 'api' | 'baseUrl'> | undefined;
  /** In the order of the agent's `tools`. `approval` is `true`, `false` or `by arguments`. */
  readonly tools: readonly (Pick<WorkerTool, 'name' | 'description' | 'inputSchema' | 'attempts' | 'timeoutMs'> & {
    readonly approval: string;
  })[];
  readonly mcpServers: readonly McpServer[];
  /** Fingerprints of the agents that it calls. */
  readonly agents: readonly string[];
}

/**
 * Covers the agent's model, provider (API and address), instructions, settings, limits, compaction and size of its context; of each tool of the
 * configuration its name, description, schema, attempts, time limit, and whether it waits for a person; of each MCP server its
 * program or address, and which tools wait; and the agents that it calls. It does not cover: the code of functions, keys,
 * headers and variables (they are secrets, and change), what MCP servers offer, prices, the limits of all turns and sessions, and
 * the environment. Pure: the same in every process, whatever the order of members.
 */
export function agentFingerprint({ agent, provider, tools, mcpServers, agents }: FingerprintParts): string {
  const parts = [
    agent,
    provider === undefined ? null : [provider.api, provider.baseUrl ?? null],
    tools.map(({ name, description, inputSchema, attempts, timeoutMs, approval }) => [
      name,
      description,
      inputSchema,
      attempts,
      timeoutMs,
      approval,
    ]),
    mcpServers.map((server) => [
      server.name,
      server.needsApproval,
      'url' in server ? { url: server.url } : { command: server.command, args: server.args },
    ]),
    agents,
  ];
  return createHash('sha256').update(canonicalJson(parts)).digest('hex').slice(0, 32);
}

interface Definitions {
  readonly agents: ReadonlyMap<string, Agent>;
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  readonly tools: ReadonlyMap<string, WorkerTool>;
  readonly mcpServers: ReadonlyMap<string, McpServer>;
  /** By tool. */
  readonly approvals: ReadonlyMap<string, string>;
}

/** Of every agent of a configuration whose references are right: no agent calls itself by way of others. */
export function fingerprintsOf({ agents, providers, tools, mcpServers, approvals }: Definitions): ReadonlyMap<string, string> {
  const made = new Map<string, string>();
  const fingerprintOf = (agent: Agent): string => {
    const known = made.get(agent.name);
    if (known !== undefined) return known;
    const named = Object.groupBy(agent.tools.map(readToolName), ({ kind }) => kind);
    const fingerprint = agentFingerprint({
      agent,
      provider: providers.get(agent.provider),
      tools: found(named.tool, tools).map((tool) => ({ ...tool, approval: approvals.get(tool.name) ?? '' })),
      mcpServers: found(named.mcp, mcpServers),
      agents: found(named.agent, agents).map(fingerprintOf),
    });
    made.set(agent.name, fingerprint);
    return fingerprint;
  };
  return new Map([...agents].map(([name, agent]) => [name, fingerprintOf(agent)]));
}

function found<Value>(names: readonly { readonly name: string }[] = [], values: ReadonlyMap<string, Value>): readonly Value[] {
  return names.flatMap(({ name }) => {
    const value = values.get(name);
    return value === undefined ? [] : [value];
  });
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

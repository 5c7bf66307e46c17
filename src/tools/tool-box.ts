/** The tools of a worker: those of its configuration, and those of the MCP servers that it names. */
import { readToolName, type ToolName } from '../domain/agents/agent.ts';
import { agentServerLabel } from '../domain/agents/function-names.ts';
import type { McpServer } from './mcp-server.ts';
import type { ServerClient, ToolLog } from './mcp/server-client.ts';
import { localServerLabel, type ToolBox, type ToolList, type WorkerTool } from './tool.ts';

export interface ToolBoxOptions {
  readonly tools: ReadonlyMap<string, WorkerTool> | readonly WorkerTool[];
  readonly mcpServers: readonly McpServer[];
  /** Agents that others may call, by their names. */
  readonly agents?: ReadonlyMap<string, WorkerTool>;
  readonly log: ToolLog;
  /** Of turnkeep, as servers are told it. */
  readonly version?: string;
  /** A clock that does not jump, ms. */
  readonly now?: () => number;
}

/** An agent has tools that the configuration of this worker does not: it was made for another one. */
export class UnknownToolsError extends Error {
  override readonly name = 'UnknownToolsError';
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super(`The configuration of this worker has no ${names.map((name) => JSON.stringify(name)).join(', ')}.`);
    this.names = names;
  }
}

/**
 * **Contract:** no server is started before somebody asks for its tools or calls one. Each has one client in this process,
 * which starts it anew when it ended. Disposed of, it has left no process behind.
 */
export function createToolBox({ tools, mcpServers, agents, log, version = '0', now = () => performance.now() }: ToolBoxOptions): ToolBox {
  const local = new Map(
    (Array.isArray(tools) ? (tools as readonly WorkerTool[]) : [...(tools as ReadonlyMap<string, WorkerTool>).values()]).map((tool) => [
      tool.name,
      tool,
    ]),
  );
  const servers = new Map(mcpServers.map((server) => [server.name, server]));
  if (servers.has(localServerLabel)) throw new Error(`An MCP server cannot be named "${localServerLabel}".`);
  if (servers.size < mcpServers.length) throw new Error('Two MCP servers have the same name.');

  let clients: Promise<ReadonlyMap<string, ServerClient<WorkerTool>>> | undefined;
  /** The SDK is 50 MB of memory and a quarter of a second: who has no server does not load it. */
  async function clientOf(name: string): Promise<ServerClient<WorkerTool> | undefined> {
    clients ??= import('./mcp/server-tools.ts').then(({ serverClients }) => serverClients(mcpServers, { log, version, now }));
    return (await clients).get(name);
  }

  async function serverList(serverLabel: string, signal: AbortSignal): Promise<ToolList> {
    try {
      const client = await clientOf(serverLabel);
      return { serverLabel, tools: (await client?.tools(signal)) ?? [] };
    } catch (error) {
      signal.throwIfAborted();
      const words = error instanceof Error ? error.message : String(error);
      log.warn({ mcpServer: serverLabel }, 'the tools of an MCP server could not be had');
      return { serverLabel, tools: [], error: words };
    }
  }

  return {
    unknownOf,
    async listsOf(names, signal) {
      const wanted = [...new Set(names)];
      const unknown = unknownOf(wanted);
      if (unknown.length > 0) throw new UnknownToolsError(unknown);
      signal.throwIfAborted();

      const lists = new Map<string, Promise<ToolList>>();
      for (const { kind, name } of wanted.map(readToolName)) {
        const label = kind === 'tool' ? localServerLabel : kind === 'agent' ? agentServerLabel : name;
        if (lists.has(label)) continue;
        lists.set(label, kind === 'mcp' ? serverList(name, signal) : Promise.resolve(ownList(label, wanted)));
      }
      return Promise.all(lists.values());
    },
    async [Symbol.asyncDispose]() {
      const all = (await clients)?.values() ?? [];
      await Promise.all([...all].map(async (client) => client[Symbol.asyncDispose]()));
    },
  };

  function unknownOf(names: readonly string[]): readonly string[] {
    return names.filter((entry) => !isKnown(readToolName(entry)));
  }

  function isKnown({ kind, name }: ToolName): boolean {
    return kind === 'mcp' ? servers.has(name) : kind === 'agent' ? agents?.has(name) === true : local.has(name);
  }

  /** Of those that no server has. */
  function ownList(serverLabel: string, entries: readonly string[]): ToolList {
    const [wanted, tools] = serverLabel === agentServerLabel ? (['agent', agents] as const) : (['tool', local] as const);
    const named = entries.map(readToolName).filter(({ kind }) => kind === wanted);
    return { serverLabel, tools: named.flatMap(({ name }) => tools?.get(name) ?? []) };
  }
}

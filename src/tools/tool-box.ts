/** The tools of a worker: those of its configuration, and those of the MCP servers that it names. */
import type { McpServer } from './mcp-server.ts';
import type { ServerClient, ToolLog } from './mcp/server-client.ts';
import { localServerLabel, type ToolBox, type ToolList, type WorkerTool } from './tool.ts';

const serverPrefix = 'mcp:';
const agentPrefix = 'agent:';

export interface ToolBoxOptions {
  readonly tools: ReadonlyMap<string, WorkerTool> | readonly WorkerTool[];
  readonly mcpServers: readonly McpServer[];
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
export function createToolBox({ tools, mcpServers, log, version = '0', now = () => performance.now() }: ToolBoxOptions): ToolBox {
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
    async listsOf(names, signal) {
      const wanted = [...new Set(names)].filter((name) => !name.startsWith(agentPrefix));
      const serverOf = (name: string): string | undefined => (name.startsWith(serverPrefix) ? name.slice(serverPrefix.length) : undefined);
      const unknown = wanted.filter((name) => {
        const server = serverOf(name);
        return server === undefined ? !local.has(name) : !servers.has(server);
      });
      if (unknown.length > 0) throw new UnknownToolsError(unknown);
      signal.throwIfAborted();

      const lists = new Map<string, Promise<ToolList>>();
      for (const name of wanted) {
        const server = serverOf(name);
        if (lists.has(server ?? localServerLabel)) continue;
        if (server === undefined) lists.set(localServerLabel, Promise.resolve(localList(wanted)));
        else lists.set(server, serverList(server, signal));
      }
      return Promise.all(lists.values());
    },
    async [Symbol.asyncDispose]() {
      const all = (await clients)?.values() ?? [];
      await Promise.all([...all].map(async (client) => client[Symbol.asyncDispose]()));
    },
  };

  function localList(names: readonly string[]): ToolList {
    return { serverLabel: localServerLabel, tools: names.flatMap((name) => local.get(name) ?? []) };
  }
}

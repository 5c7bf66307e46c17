/** The tools of a worker: those of its configuration, and those of the MCP servers that it names. */
import { readToolName, type ToolName } from '../domain/agent.ts';
import { agentServerLabel } from '../domain/function-names.ts';
import type { JsonObject } from '../domain/item.ts';
import { argumentsCheck } from './arguments-check.ts';
import type { McpServer } from './mcp-server.ts';
import type { ListedTool } from './mcp/listed-tool.ts';
import { ServerClient, type ToolLog } from './mcp/server-client.ts';
import { localServerLabel, type ToolBox, type ToolContext, type ToolList, type WorkerTool } from './tool.ts';

/** Of a tool of an MCP server: the protocol lets it say nothing of the kind. */
const mcpTimeoutMs = 120_000;

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
  const clients = new Map<string, ServerClient<WorkerTool>>();
  for (const server of mcpServers) {
    if (server.name === localServerLabel || clients.has(server.name))
      throw new Error(`There cannot be another MCP server "${server.name}".`);
    const client: ServerClient<WorkerTool> = new ServerClient(server, (tool) => mcpTool(server, tool, client), { log, version, now });
    clients.set(server.name, client);
  }

  async function listOf(serverLabel: string, client: ServerClient<WorkerTool>, signal: AbortSignal): Promise<ToolList> {
    try {
      return { serverLabel, tools: await client.tools(signal) };
    } catch (error) {
      signal.throwIfAborted();
      const words = error instanceof Error ? error.message : String(error);
      log.warn({ mcpServer: serverLabel }, 'the tools of an MCP server could not be had');
      return { serverLabel, tools: [], error: words };
    }
  }

  return {
    async listsOf(names, signal) {
      const wanted = [...new Set(names)];
      const unknown = wanted.filter((entry) => !isKnown(readToolName(entry)));
      if (unknown.length > 0) throw new UnknownToolsError(unknown);
      signal.throwIfAborted();

      const lists = new Map<string, Promise<ToolList>>();
      for (const { kind, name } of wanted.map(readToolName)) {
        const client = kind === 'mcp' ? clients.get(name) : undefined;
        const label = kind === 'tool' ? localServerLabel : kind === 'agent' ? agentServerLabel : name;
        if (lists.has(label)) continue;
        lists.set(label, client === undefined ? Promise.resolve(ownList(label, wanted)) : listOf(label, client, signal));
      }
      return Promise.all(lists.values());
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...clients.values()].map(async (client) => client[Symbol.asyncDispose]()));
    },
  };

  function isKnown({ kind, name }: ToolName): boolean {
    return kind === 'mcp' ? clients.has(name) : kind === 'agent' ? agents?.has(name) === true : local.has(name);
  }

  /** Of those that no server has. */
  function ownList(serverLabel: string, entries: readonly string[]): ToolList {
    const [wanted, tools] = serverLabel === agentServerLabel ? (['agent', agents] as const) : (['tool', local] as const);
    const named = entries.map(readToolName).filter(({ kind }) => kind === wanted);
    return { serverLabel, tools: named.flatMap(({ name }) => tools?.get(name) ?? []) };
  }
}

function mcpTool(
  server: McpServer,
  { name, description, inputSchema, attempts }: ListedTool,
  client: ServerClient<WorkerTool>,
): WorkerTool {
  const { needsApproval } = server;
  const asks = needsApproval === 'always' || (needsApproval !== 'never' && needsApproval.includes(name));
  return {
    name,
    serverLabel: server.name,
    description,
    inputSchema,
    attempts,
    timeoutMs: mcpTimeoutMs,
    needsApproval: () => asks,
    check: argumentsCheck(inputSchema),
    run: async (args: JsonObject, context: ToolContext) => client.call(name, args, context),
  };
}

/** The tools of MCP servers, as a worker runs them. The SDK is loaded with this module. */
import type { JsonObject } from '../../domain/item.ts';
import { argumentsCheck } from '../arguments-check.ts';
import type { McpServer } from '../mcp-server.ts';
import type { ToolContext, WorkerTool } from '../tool.ts';
import type { ListedTool } from './listed-tool.ts';
import { ServerClient, type ServerClientOptions } from './server-client.ts';

/** The protocol has no word for how long a tool may take, and the configuration of a server none either. */
const callTimeoutMs = 120_000;

/** A client a server, by its name; none of them is started yet. */
export function serverClients(servers: readonly McpServer[], options: ServerClientOptions): ReadonlyMap<string, ServerClient<WorkerTool>> {
  return new Map(
    servers.map((server) => {
      const client: ServerClient<WorkerTool> = new ServerClient(server, (tool) => toolOf(server, tool, client), options);
      return [server.name, client];
    }),
  );
}

function toolOf(
  { name: serverLabel, needsApproval }: McpServer,
  { name, description, inputSchema, annotations, attempts }: ListedTool,
  client: ServerClient<WorkerTool>,
): WorkerTool {
  const isAskedFor = needsApproval === 'always' || (needsApproval !== 'never' && needsApproval.includes(name));
  return {
    name,
    serverLabel,
    description,
    inputSchema,
    ...(annotations === undefined ? {} : { annotations }),
    attempts,
    timeoutMs: callTimeoutMs,
    needsApproval: () => isAskedFor,
    check: argumentsCheck(inputSchema),
    room: async ({ turn: { tenant }, signal }) => client.room(tenant, signal),
    run: async (args: JsonObject, context: ToolContext) => client.call(name, args, context),
  };
}

/** Tool boxes on real MCP servers, and what is left of their processes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../src/domain/item.ts';
import type { McpServer } from '../../src/tools/mcp-server.ts';
import { runWorkerTool } from '../../src/tools/run-worker-tool.ts';
import { createToolBox } from '../../src/tools/tool-box.ts';
import type { ToolContext, ToolList, ToolResult, WorkerTool } from '../../src/tools/tool.ts';
import { toolContext } from './tool-calls.ts';
import { within } from './within.ts';

export const everythingProgram = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'));
export const filesystemProgram = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-filesystem/dist/index.js'));
export const misbehavingProgram = fileURLToPath(import.meta.resolve('./misbehaving-mcp-server.ts'));
/** A process with a server of its own. */
export const workerProgram = fileURLToPath(import.meta.resolve('./mcp-worker.ts'));

export function nodeServer(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): McpServer {
  return { name, needsApproval: 'never', command: process.execPath, args, env };
}

export interface HeldBox extends AsyncDisposable {
  list(label: string): Promise<ToolList>;
  tool(label: string, name: string): Promise<WorkerTool>;
  /** Runs a tool as a worker does. */
  call(label: string, name: string, args?: JsonObject, context?: ToolContext): Promise<ToolResult>;
  /** Every line of the log, as JSON. */
  readonly log: readonly string[];
  readonly clock: { nowMs: number };
}

export function toolBox(servers: readonly McpServer[], tools: readonly WorkerTool[] = []): HeldBox {
  const log: string[] = [];
  const clock = { nowMs: 0 };
  const write = (fields: object, message: string): void => {
    log.push(JSON.stringify({ ...fields, message }));
  };
  const box = createToolBox({ tools, mcpServers: servers, log: { info: write, warn: write }, now: () => clock.nowMs });
  async function list(label: string): Promise<ToolList> {
    const [only] = await box.listsOf([`mcp:${label}`], new AbortController().signal);
    assert.ok(only);
    return only;
  }
  async function tool(label: string, name: string): Promise<WorkerTool> {
    const { tools, error } = await list(label);
    const found = tools.find((tool) => tool.name === name);
    assert.ok(found, `no ${name} in ${label}: ${error ?? tools.map((tool) => tool.name).join(', ')}`);
    return found;
  }
  return {
    list,
    tool,
    call: async (label, name, args = {}, context = toolContext()) => runWorkerTool(await tool(label, name), args, context),
    log,
    clock,
    [Symbol.asyncDispose]: async () => box[Symbol.asyncDispose](),
  };
}

/** A zombie whose parent does not ask for it is gone: it runs nothing and holds nothing. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Nothing tells of the end of a process that is nobody's child: it is looked for. */
export async function gone(pid: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (!isRunning(pid)) resolve();
    else timer = setTimeout(look, 10);
  };
  look();
  try {
    await within(`the end of process ${pid}`, promise);
  } finally {
    clearTimeout(timer);
  }
}

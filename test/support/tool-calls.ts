/** Tools and their calls, as a worker would make them. */
import type { ToolContext, ToolResult, WorkerTool } from '../../src/tools/tool.ts';

export interface HeldContext extends ToolContext {
  readonly controller: AbortController;
  readonly told: readonly string[];
  /** Resolves when the tool has told of its progress, once or before. */
  readonly progressed: Promise<void>;
}

export function toolContext(tenant: unknown = 'default'): HeldContext {
  const controller = new AbortController();
  const told: string[] = [];
  const progressed = Promise.withResolvers<void>();
  return {
    controller,
    signal: controller.signal,
    idempotencyKey: 'key',
    turn: { id: 'resp_1', tenant: typeof tenant === 'string' ? tenant : 'default', step: 0, call: 'call_1' },
    log: () => {},
    progress: (message) => {
      told.push(message);
      progressed.resolve();
    },
    told,
    progressed: progressed.promise,
  };
}

export function localTool(run: WorkerTool['run'], others: Partial<WorkerTool> = {}): WorkerTool {
  return {
    name: 'local',
    serverLabel: 'turnkeep',
    description: '',
    inputSchema: { type: 'object' },
    attempts: 1,
    timeoutMs: 60_000,
    needsApproval: () => false,
    check: () => undefined,
    run,
    ...others,
  };
}

export const output = (text: string): ToolResult => ({ type: 'output', text });
export const failure = (message: string): ToolResult => ({ type: 'error', message });

/** As a worker does it: a run begins once there is room for it. */
export async function runWithRoom(tool: WorkerTool, args: Parameters<WorkerTool['run']>[0], context: ToolContext): Promise<ToolResult> {
  const leave = await tool.room?.(context);
  try {
    return await tool.run(args, context);
  } finally {
    leave?.();
  }
}

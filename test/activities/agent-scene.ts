/** An agent's turn and a worker that has tools, without a Temporal server. */
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Agents } from '../../src/activities/attempt/agents.ts';
import { RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { createActivities } from '../../src/activities/create-activities.ts';
import type { Compaction } from '../../src/domain/agents/agent.ts';
import type { InputItem, JsonObject } from '../../src/domain/item.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import type { ResponseObject } from '../../src/domain/response/response.ts';
import type { NewToolCall } from '../../src/domain/agents/tool-call.ts';
import type { StepResult } from '../../src/domain/turn/turn-state.ts';
import { readStream } from '../../src/settle/read-stream.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { chat, done, end, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { createToolBox } from '../../src/tools/tool-box.ts';
import type { McpServer } from '../../src/tools/mcp-server.ts';
import type { ToolContext, WorkerTool } from '../../src/tools/tool.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { startPatientModel } from '../support/patient-model.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  turnTimeoutMs: 60_000,
  maxOutputBytes: 1_000_000,
};

export interface RecordedTool extends WorkerTool {
  /** The arguments of each run. */
  readonly calls: JsonObject[];
}

/** A tool that writes down how it is called. */
export function tool(
  name: string,
  run: (args: JsonObject, context: ToolContext) => Promise<string>,
  more: Partial<WorkerTool> = {},
): RecordedTool {
  const calls: JsonObject[] = [];
  return {
    name,
    serverLabel: 'turnkeep',
    description: `the tool ${name}`,
    inputSchema: { type: 'object' },
    attempts: 1,
    timeoutMs: 5_000,
    needsApproval: () => false,
    check: () => undefined,
    ...more,
    calls,
    async run(args, context) {
      calls.push(args);
      return { type: 'output', text: await run(args, context) };
    },
  };
}

interface CalledTool {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** An answer that calls these functions. */
export function called(...calls: readonly CalledTool[]): Script {
  return [sseHead, chat.role(), ...calls.map((call, index) => chat.toolCall(index, call)), chat.finish('tool_calls'), done, end];
}

export interface AgentSceneOptions {
  /** That the provider speaks: `chat` where nothing is said. */
  readonly api?: 'chat' | 'responses';
  readonly scripts: readonly Script[];
  readonly tools: readonly WorkerTool[];
  readonly settings?: Partial<ResponseSettings>;
  readonly compaction?: Compaction;
  readonly contextTokens?: number;
  readonly input?: readonly InputItem[];
  readonly mcpServers?: readonly McpServer[];
  /** Made before the first request: somebody has approved them. */
  readonly approved?: readonly NewToolCall[];
}

export type AgentScene = Awaited<ReturnType<typeof agentScene>>;

/** A turn `resp_a` of an agent that has all of the tools. */
export async function agentScene({
  api = 'chat',
  scripts,
  tools,
  settings = {},
  compaction = 'auto',
  contextTokens,
  input,
  mcpServers = [],
  approved: calls = [],
}: AgentSceneOptions) {
  const model = await startPatientModel();
  model.enqueue(...scripts);
  const database = temporaryDatabase();
  const store = database.open();
  const provider = createProvider({ baseUrl: model.baseUrl, api, limits });
  const errors: unknown[] = [];
  const lines: string[] = [];
  const toolBox = createToolBox({ tools, mcpServers, log: { info: () => undefined, warn: () => undefined } });
  const agents = { providerOf: () => provider, toolBox, log: (message: string) => void lines.push(message) };
  const process = (configured: Agents = agents) => {
    const onReady = (): void => undefined;
    const onError = (error: unknown): void => void errors.push(error);
    const attempts = new RunningAttempts({ store, provider, agents: configured, limits, onReady, onError });
    return { attempts, activities: createActivities({ store, provider, attempts, onReady, onError }) };
  };
  const own = process();
  const agent = {
    name: 'helper',
    provider: 'default',
    model: 'scripted',
    tools: [...tools.map(({ name }) => name), ...mcpServers.map(({ name }) => `mcp:${name}`)],
    settings: {},
    limits: {},
    compaction,
    ...(contextTokens === undefined ? {} : { contextTokens }),
  } as const;
  const approvals = { answered: [], calls };
  const fields = { settings: { ...defaultSettings('helper'), agent, ...settings }, approvals, ...(input === undefined ? {} : { input }) };
  await store.insertTurn(newTurn('resp_a', fields));
  return {
    model,
    store,
    errors,
    lines,
    own,
    process,
    /** A process whose configuration has no tools but these. */
    toolless: (...kept: readonly WorkerTool[]) =>
      process({
        ...agents,
        toolBox: createToolBox({ tools: kept, mcpServers: [], log: { info: () => undefined, warn: () => undefined } }),
      }),
    async step(step: number, { activities } = own, environment = new MockActivityEnvironment()): Promise<StepResult> {
      return environment.run(activities.streamModel, { database: store.databaseId, turn: 'resp_a', step });
    },
    async response(): Promise<ResponseObject> {
      return (await readStream(store, 'resp_a')).response;
    },
    async [Symbol.asyncDispose]() {
      await own.attempts.drain(0);
      await provider.close();
      await toolBox[Symbol.asyncDispose]();
      await model.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

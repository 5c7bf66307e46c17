/** Takes in turns of workflows of somebody's own, by the rules of `POST /v1/responses`, with what a request cannot say there. */
import { ApplicationFailure } from '@temporalio/common';
import type { AcceptTurn } from '../activities/own-turns.ts';
import type { Turnkeep } from '../client/turnkeep.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import { turnIdPattern } from '../client/ids.ts';
import { type BeginTurnInput, type TurnRequest, turnRefused } from '../contract/own-turns.ts';
import { turnTimeMs } from '../domain/turn/budget.ts';
import type { TurnOwner, TurnRow } from '../domain/turn/turn.ts';
import { type Agent, defaultSteps, readToolName, resolveModel } from '../domain/agents/agent.ts';
import { ApiError, notFound } from '../gateway/http/errors.ts';
import { validateBody } from '../gateway/http/validate.ts';
import { inputItem } from '../gateway/responses/item-schema.ts';
import { type CreateResponse, createResponse } from '../gateway/responses/schema.ts';
import { responseDraft } from '../gateway/responses/settings.ts';
import { acceptTurn, type SubmitDeps } from '../gateway/submit/submit-turn.ts';
import type { Store } from '../store/ports/store.ts';
import { agentDirectory } from './agents.ts';

export interface OwnTurnsOptions {
  readonly config: Config;
  readonly agents: AgentConfig;
  readonly store: Pick<Store, 'readTurn'>;
  readonly turnkeep: Turnkeep;
  /** See `Dispatcher.hasWorkers`: an agent that others call has a workflow of its own, on the queue of the configuration. */
  readonly hasWorkers: () => Promise<boolean>;
}

export function ownTurns({ config, agents, store, turnkeep, hasWorkers }: OwnTurnsOptions): AcceptTurn {
  const { heartbeatTimeoutMs, turnTimeoutMs } = config.limits;
  const common: SubmitDeps = {
    turnkeep,
    defaultModel: config.provider.model,
    providerApi: config.provider.api,
    maxInputItems: config.intake.maxInputItems,
    unsupportedTools: config.intake.unsupportedTools,
    isDraining: () => false,
  };
  const directory = agentDirectory(agents, config);

  async function accept({ turn: id, owner, request }: BeginTurnInput): Promise<TurnRow> {
    // An earlier run of the activity took it in, perhaps on a worker whose agents were configured otherwise.
    const known = await store.readTurn(id);
    if (known !== undefined && isOf(known, owner)) return known;
    if (!turnIdPattern.test(id)) throw new ApiError({ status: 400, param: 'id', code: 'invalid_value', message: `Invalid 'id': ${id}.` });
    const body = (await validateBody(createResponse, { input: inputItem }, bodyOf(request))) as CreateResponse;
    const draft = responseDraft(body, common);
    const agent = agentOf(request, draft.settings.model, agents);
    if (agent !== undefined && callsAgents(agent) && !(await hasWorkers())) throw unserved(agent, config.taskQueue);
    const deps = { ...common, agents: agent === undefined ? directory : { ...directory, agents: new Map([[agent.name, agent]]) } };
    const submitter = { tenant: request.tenant ?? 'default', isResend: false, receivedAtMs: Date.now(), owner };
    const turn = await acceptTurn(submitter, deps, { 'x-turnkeep-response-id': id }, draft);
    if (isOf(turn, owner)) return turn;
    // The same words under the same id are joined over HTTP; a turn has one owner.
    throw new ApiError({
      status: 422,
      param: 'id',
      code: 'response_id_taken',
      message: `The id '${id}' has a turn that another workflow runs.`,
    });
  }

  return async (input) => {
    try {
      const { readyAtMs, settings } = await accept(input);
      return { isReady: readyAtMs !== null, heartbeatTimeoutMs, turnTimeoutMs: turnTimeMs(settings.budget, turnTimeoutMs) };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { status, code, message } = error.fields;
      // Too many turns, or a database that is busy: later there is room.
      throw ApplicationFailure.create({
        type: turnRefused,
        message,
        nonRetryable: status !== 429 && status !== 503,
        details: [{ code: code ?? null }],
      });
    }
  };
}

function isOf({ workflowId, ownerRunId }: TurnRow, owner: TurnOwner): boolean {
  return workflowId === owner.workflowId && ownerRunId === owner.firstRunId;
}

/** What `POST /v1/responses` would get; the names of tools are left to the agent. */
function bodyOf({ agent, model, input, instructions, session, previous, tools = [], settings }: TurnRequest): object {
  const own = tools.filter((tool) => typeof tool !== 'string');
  return {
    ...settings,
    input,
    ...(agent === undefined && model === undefined ? {} : { model: agent ?? model }),
    ...(instructions === undefined ? {} : { instructions }),
    ...(session === undefined ? {} : { conversation: session }),
    ...(previous === undefined ? {} : { previous_response_id: previous }),
    ...(own.length === 0 ? {} : { tools: own }),
  };
}

/** The agent of the request, with what that says of it; undefined: the model is asked as it is. */
function agentOf({ agent: name, model, tools = [], limits }: TurnRequest, named: string, config: AgentConfig): Agent | undefined {
  if (name !== undefined && model !== undefined) throw invalid('agent', 'name either an agent or a model, since an agent has a model');
  const names = tools.filter((tool) => typeof tool === 'string');
  for (const tool of names) assertKnown(tool, config);
  const agent = config.agents.get(named);
  if (name !== undefined && agent === undefined) throw notFound('Agent', name, 'agent');
  if (agent !== undefined) return { ...agent, tools: [...new Set([...agent.tools, ...names])], limits: { ...agent.limits, ...limits } };
  const resolved = resolveModel(named, (provider) => config.providers.has(provider));
  if (names.length === 0 && limits === undefined && resolved.provider === 'default' && resolved.model === named) return undefined;
  return { name: named, ...resolved, tools: names, settings: {}, limits: { steps: defaultSteps, ...limits }, compaction: 'auto' };
}

function callsAgents({ tools }: Agent): boolean {
  return tools.some((tool) => readToolName(tool).kind === 'agent');
}

/** Its calls would wait for ever: their turns have workflows of their own, and nobody carries those out. */
function unserved({ name }: Agent, taskQueue: string): ApiError {
  const mend = `Start 'turnkeep worker' or 'turnkeep serve' with the same configuration, or give this worker that queue and export agentTurn from its workflow code`;
  return invalid('agent', `'${name}' calls other agents, and no worker carries out their turns on the task queue '${taskQueue}'. ${mend}`);
}

function assertKnown(tool: string, { tools, mcpServers, agents }: AgentConfig): void {
  const { kind, name } = readToolName(tool);
  const known = kind === 'tool' ? tools : kind === 'mcp' ? mcpServers : agents;
  if (!known.has(name)) throw notFound('Tool', tool, 'tools');
}

function invalid(param: string, message: string): ApiError {
  return new ApiError({ status: 400, param, code: 'invalid_value', message: `Invalid '${param}': ${message}.` });
}

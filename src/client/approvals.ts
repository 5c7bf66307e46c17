/**
 * What a request says to calls that wait for an approval: which calls are to be made before its first request to the model. Only
 * what stands in the database is approved: nobody makes a call that a model has not asked for.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { agentServerLabel } from '../domain/agents/function-names.ts';
import { type ApprovalRequestItem, type InputItem, isWorkers } from '../domain/item.ts';
import { mcpRequestOf } from '../domain/agents/mcp-request.ts';
import { responseIdOf } from '../domain/response/new-items.ts';
import type { ResponseSettings } from '../domain/response/response-settings.ts';
import type { AnsweredRequest, NewToolCall } from '../domain/agents/tool-call.ts';
import type { Store } from '../store/ports/store.ts';
import type { Submission } from './submission.ts';

export interface Approvals {
  /** The ids of the requests that are answered, either way: each is answered once. */
  readonly answered: readonly AnsweredRequest[];
  readonly calls: readonly NewToolCall[];
}

/** `input[index]` answers a request for an approval that is not there, or is not of this conversation. */
export interface UnknownApproval {
  readonly type: 'unknown_approval';
  readonly index: number;
  readonly id: string;
}

/** `input[index]` agrees to a call of a tool that its turn would not have. It can still be answered. */
export interface ToollessApproval {
  readonly type: 'approval_without_tool';
  readonly index: number;
  readonly id: string;
  /** As an agent's `tools` would name it. */
  readonly tool: string;
  /** The name of the tool, where the request has its server, and leaves it out by `allowed_tools`. */
  readonly leftOut?: string;
}

/** How many turns back a request may lie that is answered now. */
const turnsBack = 50;

interface Answer {
  readonly index: number;
  readonly id: string;
  readonly isApproved: boolean;
}

/** `input[index]` answers what an item before it in the same input answers. */
export interface TwofoldApproval {
  readonly type: 'approval_answered_twice';
  readonly index: number;
  readonly id: string;
}

export async function readApprovals(
  store: Pick<Store, 'readSession' | 'findTurn' | 'readChain' | 'readResponse'>,
  submission: Submission,
  input: readonly InputItem[],
): Promise<Approvals | UnknownApproval | TwofoldApproval | ToollessApproval> {
  const answers = input.flatMap(answerOf);
  const calls: NewToolCall[] = [];
  const answered: AnsweredRequest[] = [];
  if (answers.length === 0) return { answered, calls };
  const asked = await askedBefore(store, submission, new Set(answers.map(({ id }) => id)));
  for (const { index, id, isApproved } of answers) {
    const request = asked.get(id);
    if (request === undefined) {
      if (isHistory(input, { index, id, isApproved })) continue;
      // A provider of the Responses API may have asked it: its ids are its own.
      if (submission.settings.agent === undefined) continue;
      return { type: 'unknown_approval', index, id };
    }
    if (answered.some((each) => each.id === id)) return { type: 'approval_answered_twice', index, id };
    answered.push({ id, askedBy: request.askedBy });
    if (!isApproved) continue;
    const lack = lackOf(request, submission.settings);
    if (lack !== undefined) return { type: 'approval_without_tool', index, id, ...lack };
    calls.push({
      number: calls.length,
      position: null,
      serverLabel: request.server_label,
      name: request.name,
      arguments: request.arguments,
      // Before the first step of its turn.
      origin: { ...request.turnkeep, step: 0 },
      approvalRequestId: id,
    });
  }
  return { answered, calls };
}

/**
 * Why a turn of these settings does not have the tool; undefined: it has, as far as is known here. `tool_choice` is of what the
 * model may call, and this it has called before.
 */
function lackOf(request: ApprovalRequestItem, { agent, tools }: ResponseSettings): Pick<ToollessApproval, 'tool' | 'leftOut'> | undefined {
  const tool = entryOf(request);
  if (agent?.tools.includes(tool) !== true) return { tool };
  const { server_label: label, name } = request;
  const own = tools.flatMap((each) => mcpRequestOf(each) ?? []).filter(({ serverLabel }) => serverLabel === label);
  return own.length > 0 && own.every(({ leavesOut }) => leavesOut(name)) ? { tool, leftOut: name } : undefined;
}

/** The entry of an agent's `tools` that has this one. */
function entryOf({ server_label: label, name }: ApprovalRequestItem): string {
  if (label === 'turnkeep') return name;
  return label === agentServerLabel ? `agent:${name}` : `mcp:${label}`;
}

function answerOf(item: InputItem, index: number): readonly Answer[] {
  if ((item.type as string) !== 'mcp_approval_response') return [];
  const { approval_request_id: id, approve } = item as { readonly approval_request_id?: unknown; readonly approve?: unknown };
  return typeof id === 'string' ? [{ index, id, isApproved: approve === true }] : [];
}

/**
 * Does the input itself bring the request that is answered, as the history of a client that keeps its own? Nothing is run for
 * it: what came of it follows in the input. Of a call that is agreed to just now nothing can follow, and nobody would make it.
 */
function isHistory(input: readonly InputItem[], { index, id, isApproved }: Answer): boolean {
  const isBrought = input.slice(0, index).some((item) => item.type === 'mcp_approval_request' && item.id === id);
  const isPast = !isApproved || input.slice(index + 1).some((item) => (item.type as string) !== 'mcp_approval_response');
  return isBrought && isPast;
}

/** With the turn that has it in its answer. */
type Request = ApprovalRequestItem & Pick<AnsweredRequest, 'askedBy'>;

/** Those of the requests that turns before this one have made. An id says of which turn it is: no other one is read (T14). */
async function askedBefore(
  store: Pick<Store, 'readSession' | 'findTurn' | 'readChain' | 'readResponse'>,
  { tenant, session, previous }: Submission,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Request>> {
  const found = new Map<string, Request>();
  const leaf =
    session === null
      ? previous === null
        ? undefined
        : (await store.findTurn(tenant, previous))?.id
      : (await store.readSession(tenant, session))?.leaf;
  const named = new Set(Array.from(ids, responseIdOf));
  const turns = leaf == null ? [] : ((await store.readChain(leaf, { limit: turnsBack, order: 'desc' })) ?? []);
  for (const { id, publicId } of turns) {
    if (found.size === ids.size) break;
    if (!named.has(publicId)) continue;
    // A response may be long, and is read at once.
    await nextTurnOfTheLoop();
    for (const item of (await store.readResponse(id))?.output ?? []) {
      if (item.type === 'mcp_approval_request' && isWorkers(item) && ids.has(item.id)) found.set(item.id, { ...item, askedBy: id });
    }
  }
  return found;
}

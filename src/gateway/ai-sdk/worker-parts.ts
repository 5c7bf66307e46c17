/**
 * Calls of tools that a worker runs, as the AI SDK's UI has them: dynamic tools that the provider executes. One that waits for an
 * approval is one part from the request to its output, which may come in a later turn of the message. Pure.
 */
import type { ApprovalResponse } from '../../domain/agents/approval.ts';
import { type ApprovalRequestItem, isWorkers, type Item, type WorkerCallItem } from '../../domain/item.ts';
import { cutOff } from '../../domain/agents/worker-call.ts';
import type { SsePayload } from '../stream/encode.ts';

/** A part of a message, as the UI has it. */
export interface UiPartOut {
  readonly type: string;
  readonly [field: string]: unknown;
}

type WorkerItem = WorkerCallItem | ApprovalRequestItem;

/** What all chunks and parts of a call say of it. */
export interface WorkerTool {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly serverLabel: string;
}

const executed = { providerExecuted: true, dynamic: true } as const;

/** @param standing the ids of the requests for an approval whose part the output of the call belongs to */
export function workerToolOf(item: WorkerItem, standing: { readonly has: (id: string) => boolean }): WorkerTool {
  const request = requestOf(item);
  return {
    toolCallId: request !== undefined && standing.has(request) ? request : item.id,
    toolName: item.name,
    serverLabel: item.server_label,
  };
}

/** The request for an approval that a call was made after. */
export function requestOf(item: WorkerItem): string | undefined {
  return (item.type === 'mcp_call' && item.approval_request_id) || undefined;
}

/**
 * The calls of one step stand together, behind its words: with whatever comes next, another step begins.
 * @param step of the calls before it; undefined where there are none
 */
export function beginsStep(step: number | undefined, item: Item): boolean {
  return step !== undefined && !(isWorkers(item) && item.turnkeep.step === step);
}

export function inputStart({ toolCallId, toolName }: WorkerTool): SsePayload {
  return { type: 'tool-input-start', toolCallId, toolName, ...executed };
}

export function inputAvailable({ toolCallId, toolName, serverLabel }: WorkerTool, text: string): SsePayload {
  const providerMetadata = metadataOf(serverLabel);
  return { type: 'tool-input-available', toolCallId, toolName, input: inputOf(text), ...executed, providerMetadata };
}

export function outputChunk(item: WorkerCallItem, { toolCallId }: WorkerTool): SsePayload {
  const end = endOf(item);
  return 'output' in end
    ? { type: 'tool-output-available', toolCallId, ...end, ...executed }
    : { type: 'tool-output-error', toolCallId, ...end, ...executed };
}

/** What was answered to a request for an approval. */
export interface ApprovalAnswers {
  /** The newest; undefined: nobody has answered, or that answer was given back. */
  readonly response: ApprovalResponse | undefined;
  /** Answers whose turn ended before their call began: the request waits again (`docs/decisions/0023-approvals.md`). */
  readonly givenBack: number;
}

/** @param output of the turn that the answer came with, which has its end */
export function isGivenBack({ id, isApproved }: ApprovalResponse, output: readonly Item[]): boolean {
  return isApproved && !output.some((item) => item.type === 'mcp_call' && item.approval_request_id === id);
}

/** As the UI has it: with each answer that is given back another one, so that an answer to the question before is told from a new one. */
export function approvalIdOf(request: string, givenBack: number): string {
  return givenBack === 0 ? request : `${request}~${givenBack}`;
}

export function readApprovalId(id: string): { readonly request: string; readonly givenBack: number } {
  const [, request = id, givenBack = '0'] = /^(.+)~(\d{1,9})$/s.exec(id) ?? [];
  return { request, givenBack: Number(givenBack) };
}

export interface ApprovalState extends ApprovalAnswers {
  readonly request: ApprovalRequestItem;
  /** The call that was made once it was approved, where it is of the same message. */
  readonly call: WorkerCallItem | undefined;
}

/** The part of a UI that is loaded anew: what the chunks leave. */
export function callPart(item: WorkerCallItem): UiPartOut {
  return partOf(item, item.status === 'in_progress' ? { state: 'input-available' } : outcomeOf(item));
}

export function approvalPart({ request, response, givenBack, call }: ApprovalState): UiPartOut {
  const id = approvalIdOf(request.id, givenBack);
  if (response === undefined) return partOf(request, { state: 'approval-requested', approval: { id } });
  const { isApproved: approved, reason } = response;
  const approval = { id, approved, ...(reason === undefined ? {} : { reason }) };
  if (!approved) return partOf(request, { state: 'output-denied', approval });
  if (call === undefined || call.status === 'in_progress') return partOf(request, { state: 'approval-responded', approval });
  return partOf(request, { ...outcomeOf(call), approval });
}

function partOf({ id, name, server_label: label, arguments: text }: WorkerItem, state: object): UiPartOut {
  const common = { type: 'dynamic-tool', toolName: name, toolCallId: id, providerExecuted: true };
  return { ...common, input: inputOf(text), callProviderMetadata: metadataOf(label), ...state };
}

function outcomeOf(call: WorkerCallItem): object {
  const end = endOf(call);
  return { state: 'output' in end ? 'output-available' : 'output-error', ...end };
}

function endOf({ output, error }: WorkerCallItem): { readonly output: unknown } | { readonly errorText: string } {
  if (output !== null) return { output: parsedOutput(output) };
  return { errorText: error === null ? cutOff : error.content.map(({ text }) => text).join('') };
}

function metadataOf(serverLabel: string): object {
  return { turnkeep: { server_label: serverLabel } };
}

/** The AI SDK's tools give JSON, which the transcript holds as text. */
export function parsedOutput(output: string): unknown {
  try {
    return JSON.parse(output) as unknown;
  } catch {
    return output;
  }
}

/** What the model wrote, where it is no JSON. */
function inputOf(text: string): unknown {
  return text.trim() === '' ? {} : parsedOutput(text);
}

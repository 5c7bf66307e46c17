/** Calls of tools that a worker runs, as the model makes them and as their viewers see them. Pure. */
import type { ApprovalRequestItem, CallOrigin, ToolCallError, WorkerCallItem } from '../item.ts';
import { itemId } from '../response/new-items.ts';

/** A call as the model made it: of a tool that a worker has. */
export interface WorkerCall {
  readonly serverLabel: string;
  readonly name: string;
  /** As the model wrote them. */
  readonly arguments: string;
  readonly origin: CallOrigin;
  /** Of the request that somebody has approved. */
  readonly approvalRequestId?: string;
}

/** What a call came to. `failed`: the model is told why. */
export type WorkerCallEnd =
  | { readonly status: 'completed'; readonly output: string }
  | { readonly status: 'failed'; readonly message: string }
  /** The turn ended while it ran, or before it did. `message`: what is known of it. */
  | { readonly status: 'incomplete'; readonly message?: string };

/** What the model is told of a call whose worker was lost: it may have done all, some or nothing of it. */
export const outcomeUnknown = 'The outcome of this call is unknown: the process that ran it was lost. It was not made again.';

/** What the model is told of a call that was cut off with its turn. */
export const cutOff = 'This call was stopped with its turn. Its outcome is unknown.';

/** What viewers are told of a call that its own answer ended with, at a limit of its length or at a filter (T8). */
export const cutOffWithAnswer = 'The answer was cut off with this call. It was not made.';

export function newWorkerCall(responseId: string, index: number, call: WorkerCall): WorkerCallItem {
  return {
    id: itemId('mcp', responseId, index),
    type: 'mcp_call',
    status: 'in_progress',
    server_label: call.serverLabel,
    name: call.name,
    arguments: '',
    output: null,
    error: null,
    approval_request_id: call.approvalRequestId ?? null,
    turnkeep: call.origin,
  };
}

export function newApprovalRequest(responseId: string, index: number, call: WorkerCall): ApprovalRequestItem {
  return {
    id: itemId('mcpr', responseId, index),
    type: 'mcp_approval_request',
    server_label: call.serverLabel,
    name: call.name,
    arguments: call.arguments,
    turnkeep: call.origin,
  };
}

export function endedCall(item: WorkerCallItem, end: WorkerCallEnd): WorkerCallItem {
  if (end.status === 'completed') return { ...item, status: 'completed', output: end.output };
  return { ...item, status: end.status, error: toolCallError(end.message ?? cutOff) };
}

/** Was it never made, since the answer ended with it? */
export function isCutOffWithAnswer({ status, error }: WorkerCallItem): boolean {
  return status === 'incomplete' && error?.content[0]?.text === cutOffWithAnswer;
}

function toolCallError(text: string): ToolCallError {
  return { type: 'mcp_tool_execution_error', content: [{ type: 'text', text }] };
}

/** What the model is told of a call. */
export function outcomeText({ output, error }: Pick<WorkerCallItem, 'output' | 'error'>): string {
  if (output !== null) return output;
  return `Error: ${error === null ? cutOff : error.content.map(({ text }) => text).join('')}`;
}

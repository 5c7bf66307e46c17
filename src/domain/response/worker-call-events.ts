/** The events that begin and end a call of a worker's tool, and those that ask for the approval of one. Pure. */
import type { OutputItem } from '../item.ts';
import type { UnnumberedEvent } from './response-event.ts';
import type { ResponseObject } from './response.ts';
import {
  cutOffWithAnswer,
  endedCall,
  newApprovalRequest,
  newWorkerCall,
  type WorkerCall,
  type WorkerCallEnd,
} from '../agents/worker-call.ts';

/** What stands already: the response of the stream. */
type Output = Pick<ResponseObject, 'id' | 'output'>;

/** A call all of whose arguments are known. @param output_index its place, where others are begun before it that do not stand yet */
export function callBegun({ id, output }: Output, call: WorkerCall, output_index = output.length): readonly UnnumberedEvent[] {
  const item = newWorkerCall(id, output_index, call);
  const address = { item_id: item.id, output_index };
  return [
    { type: 'response.output_item.added', output_index, item },
    { type: 'response.mcp_call.in_progress', ...address },
    ...(call.arguments === ''
      ? []
      : [{ type: 'response.mcp_call_arguments.delta', ...address, delta: call.arguments } satisfies UnnumberedEvent]),
    { type: 'response.mcp_call_arguments.done', ...address, arguments: call.arguments },
  ];
}

/** @param item of the call, with its arguments: nothing for one of another kind */
export function callEnded(item: OutputItem | undefined, output_index: number, end: WorkerCallEnd): readonly UnnumberedEvent[] {
  if (item?.type !== 'mcp_call') return [];
  const type = end.status === 'completed' ? 'response.mcp_call.completed' : 'response.mcp_call.failed';
  return [
    { type, item_id: item.id, output_index },
    { type: 'response.output_item.done', output_index, item: endedCall(item, end) },
  ];
}

/** A call that the answer was cut off with: as much of it as there is. It is not made (T8). */
export function callCutOff({ id, output }: Output, call: WorkerCall): readonly UnnumberedEvent[] {
  const item = { ...newWorkerCall(id, output.length, call), arguments: call.arguments };
  return [...callBegun({ id, output }, call), ...callEnded(item, output.length, { status: 'incomplete', message: cutOffWithAnswer })];
}

export function approvalAsked({ id, output }: Output, call: WorkerCall): readonly UnnumberedEvent[] {
  const output_index = output.length;
  const item = newApprovalRequest(id, output_index, call);
  return [
    { type: 'response.output_item.added', output_index, item },
    { type: 'response.output_item.done', output_index, item },
  ];
}

/**
 * Calls of workers' tools in a prompt: to the model they are calls of functions, each with its output, grouped by the steps in
 * which it made them. What was to be approved is a call whose output came later, or never. Pure.
 */
import { type FunctionCallItem, type FunctionCallOutputItem, isWorkers, type Item, type WorkerCallItem } from './item.ts';
import { outcomeText } from './worker-call.ts';

type Stretch = readonly Item[];

interface ApprovalResponse {
  readonly approval_request_id?: unknown;
  readonly approve?: unknown;
  readonly reason?: unknown;
}

/** @param stretches the inputs and the answers, oldest first, each of its own */
export function withWorkerCalls(stretches: readonly Stretch[]): readonly Stretch[] {
  /** The call behind each request for an approval, by the id of the request. */
  const asked = new Map<string, string>();
  return stretches.map((stretch) => translated(stretch, asked));
}

function translated(stretch: Stretch, asked: Map<string, string>): Stretch {
  if (!stretch.some((item) => isWorkers(item) || isApprovalResponse(item))) return stretch;
  const items: Item[] = [];
  /** The outputs of the calls of the step that is being told. */
  let outputs: FunctionCallOutputItem[] = [];
  let step: number | undefined;
  const close = (): void => {
    items.push(...outputs);
    outputs = [];
    step = undefined;
  };
  for (const item of stretch) {
    if (isApprovalResponse(item)) {
      const refused = refusalOf(item, asked);
      if (refused === undefined) items.push(item);
      else items.push(...refused);
      continue;
    }
    if (!isWorkers(item)) {
      // Reasoning stands before the calls that it led to, which may be those of the next step.
      if (item.type !== 'function_call' && item.type !== 'custom_tool_call') close();
      items.push(item);
      continue;
    }
    if (step !== undefined && step !== item.turnkeep.step) close();
    step = item.turnkeep.step;
    if (item.type === 'mcp_approval_request') {
      asked.set(item.id, item.turnkeep.call_id);
      items.push(callOf(item));
      continue;
    }
    // The call itself was told where its approval was asked for.
    if (item.approval_request_id === null || !asked.has(item.approval_request_id)) items.push(callOf(item));
    outputs.push(outputOf(item.id, item.turnkeep.call_id, outcomeText(item)));
  }
  close();
  return items;
}

function isApprovalResponse(item: Item): item is Item & ApprovalResponse {
  return (item.type as string) === 'mcp_approval_response';
}

/** undefined: it answers a provider's own request, and is passed on to it. */
function refusalOf(item: Item & ApprovalResponse, asked: ReadonlyMap<string, string>): readonly Item[] | undefined {
  const callId = typeof item.approval_request_id === 'string' ? asked.get(item.approval_request_id) : undefined;
  if (callId === undefined) return undefined;
  // What was approved is told by the call that followed.
  if (item.approve === true) return [];
  const reason = typeof item.reason === 'string' && item.reason !== '' ? ` The reason given: ${item.reason}` : '';
  return [outputOf('', callId, `The user refused this call. It was not made.${reason}`)];
}

function callOf({ id, name, arguments: text, turnkeep }: Pick<WorkerCallItem, 'id' | 'name' | 'arguments' | 'turnkeep'>): FunctionCallItem {
  const { call_id, function: called = name, provider_fields: fields } = turnkeep;
  const call = { id, type: 'function_call', status: 'completed', call_id, name: called, arguments: text } as const;
  return fields === undefined ? call : { ...call, provider_fields: fields };
}

function outputOf(id: string, call_id: string, output: string): FunctionCallOutputItem {
  return { id, type: 'function_call_output', status: 'completed', call_id, output };
}

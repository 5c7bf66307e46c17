/**
 * Calls of workers' tools in a prompt: to the model they are calls of functions, each with its output, grouped by the steps in
 * which it made them. What was to be approved is a call whose output came with the next answer; what is approved later is told
 * where it was made, so that a prompt ends with what the model is to answer to. Pure.
 */
import {
  type FunctionCallItem,
  type FunctionCallOutputItem,
  isWorkers,
  type Item,
  unwrittenMessage,
  type WorkerCallItem,
} from '../item.ts';
import { outcomeText } from '../agents/worker-call.ts';

type Stretch = readonly Item[];

interface ApprovalResponse {
  readonly approval_request_id?: unknown;
  readonly approve?: unknown;
  readonly reason?: unknown;
}

/** Where a request for an approval stands, and where its answer does: the call that was made, or the refusal. */
interface Asked {
  readonly stretch: number;
  readonly callId: string;
  readonly name: string;
  answeredIn?: number;
  isApproved?: boolean;
}

/** @param stretches the inputs and the answers, oldest first, each of its own */
export function withWorkerCalls(stretches: readonly Stretch[]): readonly Stretch[] {
  const asked = askedIn(stretches);
  return stretches.map((stretch, number) => translated(stretch, number, asked));
}

/** By the id of the request. */
function askedIn(stretches: readonly Stretch[]): ReadonlyMap<string, Asked> {
  const asked = new Map<string, Asked>();
  for (const [number, stretch] of stretches.entries()) {
    for (const item of stretch) {
      if (isApprovalResponse(item)) {
        const request = requestOf(item, asked);
        // What was approved is answered by the call that follows.
        if (request !== undefined && item.approve === true) request.isApproved = true;
        else if (request !== undefined) request.answeredIn ??= number;
      } else if (isWorkers(item)) {
        if (item.type === 'mcp_approval_request') {
          asked.set(item.id, { stretch: number, callId: item.turnkeep.call_id, name: item.name });
        } else {
          const request = asked.get(item.approval_request_id ?? '');
          if (request !== undefined) request.answeredIn ??= number;
        }
      }
    }
  }
  return asked;
}

/** The answer came at once, with nothing but itself between the request and what came of it: then it is the output of that call. */
function isPrompt({ stretch, answeredIn }: Asked): boolean {
  return answeredIn !== undefined && answeredIn <= stretch + 2;
}

function translated(stretch: Stretch, number: number, asked: ReadonlyMap<string, Asked>): Stretch {
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
      items.push(...answerOf(item, number, asked));
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
      items.push(callOf(item));
      const request = asked.get(item.id);
      if (request === undefined || !isPrompt(request)) outputs.push(outputOf('', item.turnkeep.call_id, standOf(request)));
      continue;
    }
    const request = asked.get(item.approval_request_id ?? '');
    // The call itself was told where its approval was asked for; one that was approved later is told again, where it was made.
    if (request === undefined || !isPrompt(request) || request.answeredIn !== number) items.push(callOf(item));
    outputs.push(outputOf(item.id, item.turnkeep.call_id, outcomeText(item)));
  }
  close();
  return items;
}

/** Of a call that had no outcome when the talk went on. */
function standOf(request: Asked | undefined): string {
  const isStopped = request?.isApproved === true && request.answeredIn === undefined;
  return isStopped ? stopped : waiting;
}

const stopped = '[This call was approved, and stopped before it was made.]';
const waiting = '[This call waits for the approval of a person. It has not been made yet: do not make it again.]';

function isApprovalResponse(item: Item): item is Item & ApprovalResponse {
  return (item.type as string) === 'mcp_approval_response';
}

function requestOf(item: ApprovalResponse, asked: ReadonlyMap<string, Asked>): Asked | undefined {
  return typeof item.approval_request_id === 'string' ? asked.get(item.approval_request_id) : undefined;
}

/** One that answers a provider's own request is passed on to it. */
function answerOf(item: Item & ApprovalResponse, number: number, asked: ReadonlyMap<string, Asked>): readonly Item[] {
  const request = requestOf(item, asked);
  if (request === undefined) return [item];
  if (item.approve === true || request.answeredIn !== number) return [];
  const reason = typeof item.reason === 'string' && item.reason !== '' ? ` The reason given: ${item.reason}` : '';
  if (isPrompt(request)) return [outputOf('', request.callId, `The user refused this call. It was not made.${reason}`)];
  return [unwrittenMessage('user', `[I refuse the call of ${request.name} that waited for my approval. It was not made.${reason}]`)];
}

function callOf({ id, name, arguments: text, turnkeep }: Pick<WorkerCallItem, 'id' | 'name' | 'arguments' | 'turnkeep'>): FunctionCallItem {
  const { call_id, function: called = name, provider_fields: fields } = turnkeep;
  const call = { id, type: 'function_call', status: 'completed', call_id, name: called, arguments: text } as const;
  return fields === undefined ? call : { ...call, provider_fields: fields };
}

function outputOf(id: string, call_id: string, output: string): FunctionCallOutputItem {
  return { id, type: 'function_call_output', status: 'completed', call_id, output };
}

/**
 * Calls of workers' tools that a client sends back, as turnkeep gave them out (T13). A client may have changed them: whatever of
 * them is not as it was is read as if it were not there, so that no prompt is made of it that a provider refuses. Pure.
 */
import type { ApprovalRequestItem, CallOrigin, Json, JsonObject, ToolCallError, WorkerCallItem } from '../../domain/item.ts';

type Body = Readonly<Record<string, unknown>>;

/** undefined: it is not turnkeep's, but a provider's own. */
export function workerItemOf(body: Body): Omit<WorkerCallItem, 'id'> | Omit<ApprovalRequestItem, 'id'> | undefined {
  const { type } = body;
  if (type !== 'mcp_call' && type !== 'mcp_approval_request') return undefined;
  const turnkeep = originOf(body['turnkeep']);
  if (turnkeep === undefined) return undefined;
  const call = {
    ...(typeof body['id'] === 'string' ? { id: body['id'] } : {}),
    server_label: textOf(body['server_label']),
    name: textOf(body['name']),
    arguments: textOf(body['arguments']),
    turnkeep,
  };
  if (type === 'mcp_approval_request') return { ...call, type };
  const { output, approval_request_id: approval } = body;
  const hasOutput = typeof output === 'string';
  return {
    ...call,
    type,
    status: hasOutput ? 'completed' : 'incomplete',
    output: hasOutput ? output : null,
    error: errorOf(body['error']),
    approval_request_id: typeof approval === 'string' ? approval : null,
  };
}

function originOf(given: unknown): CallOrigin | undefined {
  if (!isRecord(given) || typeof given['call_id'] !== 'string') return undefined;
  const { call_id, step, function: called, provider_fields: fields } = given;
  return {
    call_id,
    step: typeof step === 'number' && Number.isInteger(step) && step >= 0 ? step : 0,
    ...(typeof called === 'string' ? { function: called } : {}),
    ...(isRecord(fields) ? { provider_fields: fields as JsonObject } : {}),
  };
}

function errorOf(given: unknown): ToolCallError | null {
  if (!isRecord(given)) return null;
  const { content } = given;
  const parts = Array.isArray(content) ? (content as readonly Json[]) : [];
  const texts = parts.map((part) => (isRecord(part) ? textOf(part['text']) : ''));
  return { type: 'mcp_tool_execution_error', content: [{ type: 'text', text: texts.join('') }] };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isRecord(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

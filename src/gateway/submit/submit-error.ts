/** Why a turn was not accepted, as the API's errors, in the field names of the request's own protocol. Pure. */
import type { ToollessApproval } from '../../client/approvals.ts';
import type { SubmitResult } from '../../client/submit-turn.ts';
import { readToolName } from '../../domain/agents/agent.ts';
import type { Unsupported } from '../../domain/provider-capabilities.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import { demandedOmitted, unknownChoice } from '../../domain/agents/tools.ts';
import { ApiError, notFound } from '../http/errors.ts';

/** What a protocol's request calls the fields that the Responses API calls `input[…]` and `conversation`. */
export interface FieldNames {
  /** Chat Completions: what the client could not be asked for there is not offered to the model. Absent: the Responses API, or the AI SDK's. */
  readonly api?: 'chat';
  /** One for each item of the input. */
  readonly items: readonly string[];
  readonly session?: string;
  readonly toolChoice?: string;
}

/** @throws ApiError 400 naming the field, where there is something that the provider's API cannot express */
export function assertSupported(unsupported: Unsupported | undefined, fields?: FieldNames): void {
  if (unsupported === undefined) return;
  const index = /^input\[(\d+)\]/.exec(unsupported.param)?.[1];
  const param = (index === undefined ? undefined : fields?.items[Number(index)]) ?? unsupported.param;
  throw new ApiError({ status: 400, param, code: 'unsupported_parameter', message: `Unsupported '${param}': ${unsupported.message}.` });
}

/** @throws ApiError 400 naming what was left out, where nothing may be */
export function assertNothingOmitted({ omitted_tools: tools = [], omitted_fields: fields = [] }: ResponseSettings): void {
  const [tool] = tools;
  const omitted = tool ?? fields[0];
  if (omitted === undefined) return;
  const reason = tool === undefined ? cannotCompact : cannotHave(tool.type);
  const message = `${reason}. Leave it out, or ask the operator for TURNKEEP_UNSUPPORTED_TOOLS=omit.`;
  throw new ApiError({
    status: 400,
    param: omitted.param,
    code: 'unsupported_parameter',
    message: `Unsupported '${omitted.param}': ${message}`,
  });
}

/** What is wrong with `tool_choice`: it names a tool that neither the request nor one of the items brings, or asks for one that was left out. */
export function toolChoiceFault({ settings, items }: RequestedTools, fields?: FieldNames): ApiError | undefined {
  const param = fields?.toolChoice ?? 'tool_choice';
  const demanded = demandedOmitted(settings, items);
  if (demanded !== undefined) {
    const message = `Unsupported '${param}': ${cannotHave(demanded)}.`;
    return new ApiError({ status: 400, param, code: 'unsupported_parameter', message });
  }
  const unknown = unknownChoice(settings, items);
  if (unknown === undefined) return undefined;
  const called = unknown.name === undefined ? `of the type '${unknown.type}'` : `called '${unknown.name}'`;
  const message = `Invalid '${param}': no tool of the request is ${called}.`;
  return new ApiError({ status: 400, param, code: 'invalid_value', message });
}

interface RequestedTools {
  readonly settings: ResponseSettings;
  readonly items: readonly { readonly type: string }[];
}

const cannotCompact = 'the model provider is asked through Chat Completions, which compacts nothing by itself';

function cannotHave(type: string): string {
  return `tools of the type '${type}' cannot be had through Chat Completions`;
}

/** Of a conversation that is full: how long its turns take nobody knows. */
const retryAfterSeconds = '5';

function secondsOf(ms: number): string {
  return String(Math.ceil(ms / 1_000));
}

export interface SubmitContext {
  readonly session: string | null;
  /** The turn's id, where the client chose it. */
  readonly id: string | undefined;
  readonly fields: FieldNames | undefined;
}

export function toApiError(result: Exclude<SubmitResult, { type: 'accepted' }>, { session, id, fields }: SubmitContext): ApiError {
  switch (result.type) {
    case 'conflict':
      return id === undefined
        ? new ApiError({
            status: 422,
            param: 'Idempotency-Key',
            code: 'idempotency_key_reused',
            message: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
          })
        : new ApiError({
            status: 422,
            param: 'x-turnkeep-response-id',
            code: 'response_id_taken',
            message: `The id '${id}', or the Idempotency-Key, was used for another request. Choose a new one.`,
          });
    case 'busy':
      return new ApiError({
        status: 409,
        param: fields?.session ?? 'conversation',
        code: 'conversation_locked',
        message: `Conversation '${session ?? ''}' is busy with response '${result.running}'. Wait for its end, or send x-turnkeep-when-busy: enqueue or interrupt.`,
        // OpenAI's clients retry a 409 at once, by themselves.
        headers: { 'x-should-retry': 'false' },
      });
    case 'queue_full':
      return new ApiError({
        status: 429,
        param: fields?.session ?? 'conversation',
        code: 'conversation_queue_full',
        message: `Too many turns wait in conversation '${session ?? ''}' (TURNKEEP_MAX_WAITING_TURNS). Try again when some have ended.`,
        headers: { 'retry-after': retryAfterSeconds },
      });
    case 'too_many':
      return new ApiError({
        status: 429,
        code: 'too_many_running_turns',
        message: 'Too many turns of this key are running or waiting (TURNKEEP_MAX_RUNNING_TURNS). Try again when some have ended.',
        headers: { 'retry-after': secondsOf(result.retryAfterMs) },
      });
    case 'provider_away': {
      const message = 'The model provider has failed for everybody for a while, so that no turn waits for it. Send it again later.';
      const headers = { 'retry-after': secondsOf(result.retryAfterMs) };
      return new ApiError({ status: 503, code: 'provider_unavailable', message, headers });
    }
    case 'unknown_previous':
      return new ApiError({
        status: 400,
        param: 'previous_response_id',
        code: 'previous_response_not_found',
        message: 'The previous response was deleted. Send its items with the request, or leave previous_response_id out.',
      });
    case 'unsettled_previous':
      return new ApiError({
        status: 400,
        param: 'previous_response_id',
        code: 'previous_response_not_settled',
        message:
          'The previous response, or one before it in its conversation, has no end yet. Wait for it or cancel it; in a conversation, turns wait for each other.',
      });
    case 'unknown_session':
      return unknownConversation(session ?? '');
    case 'unknown_item':
      return notFound('Item', result.id, fields?.items[result.index] ?? `input[${result.index}].id`);
    case 'references_too_large':
      return referencesTooLarge();
    case 'foreign_compaction':
      return foreignCompaction(result, fields);
    case 'unknown_call':
      return new ApiError({
        status: 400,
        param: fields?.items[result.index] ?? `input[${result.index}].call_id`,
        code: 'unknown_call_id',
        message: `No function call with call_id '${result.id}' is in the input or in what came before it.`,
      });
    case 'unknown_approval': {
      const param = fields?.items[result.index] ?? `input[${result.index}].approval_request_id`;
      const message = `No call waits for the approval '${result.id}' in this conversation. Answer with the id of an mcp_approval_request of its last turns, in the same conversation or with previous_response_id.`;
      return new ApiError({ status: 400, param, code: 'unknown_approval_request', message });
    }
    case 'approval_without_tool': {
      const param = fields?.items[result.index] ?? `input[${result.index}].approval_request_id`;
      const message = `The call of the approval '${result.id}' cannot be made: ${lackOf(result)}`;
      return new ApiError({ status: 400, param, code: 'approval_without_tool', message });
    }
    case 'approval_answered_twice': {
      const param = fields?.items[result.index] ?? `input[${result.index}].approval_request_id`;
      const message = `The input answers the approval '${result.id}' twice. Send one answer for each request.`;
      return new ApiError({ status: 400, param, code: 'approval_answered_twice', message });
    }
    case 'approval_answered': {
      const message = `The approval '${result.id}' was answered before: a call is made once. Send the request without it.`;
      return new ApiError({ status: 400, param: 'input', code: 'approval_already_answered', message });
    }
    default:
      return result satisfies never;
  }
}

/** What the request is to have instead. */
function lackOf({ tool, leftOut }: ToollessApproval): string {
  const { kind, name } = readToolName(tool);
  if (leftOut !== undefined) {
    return `the 'allowed_tools' that this request gives for '${name}' leave '${leftOut}' out. Send them with it, or none.`;
  }
  if (kind !== 'mcp') return `the model that is asked has no '${tool}'. Ask the agent that wanted the call, with the tools that it had.`;
  return `this request has no MCP server '${name}'. Send the request with tools: [{"type": "mcp", "server_label": "${name}"}].`;
}

/** The past that it stands for would be lost without a word. */
export function foreignCompaction({ index, model }: { readonly index: number; readonly model: string }, fields?: FieldNames): ApiError {
  const param = fields?.items[index] ?? `input[${index}]`;
  const message = `Unsupported '${param}': only the model '${model}', which made this compaction, can read it. Ask that model, or send what was said in its place: the items themselves, or the previous_response_id of a response before it.`;
  return new ApiError({ status: 400, param, code: 'foreign_compaction', message });
}

export function unknownConversation(id: string): ApiError {
  return notFound('Conversation', id, 'conversation');
}

/** Of a cancel that comes too late. */
export function alreadySettled(id: string, status: string): ApiError {
  return new ApiError({
    status: 400,
    code: 'response_already_settled',
    message: `Response '${id}' cannot be cancelled: it is already ${status}.`,
  });
}

export function referencesTooLarge(): ApiError {
  const message =
    "Invalid 'input': the items that it refers to are over 32 MiB together, each counted as often as it is named. Refer to fewer.";
  return new ApiError({ status: 400, param: 'input', code: 'references_too_large', message });
}

export function draining(): ApiError {
  const message =
    'This gateway is shutting down and takes in no new turns. Send it again: another one takes it, or this one when it is back.';
  return new ApiError({ status: 503, code: 'draining', message, headers: { 'retry-after': '1' } });
}

/** The fields of a Chat Completions request that are a turn's settings. Pure. */
import {
  defaultSettings,
  type ResponseSettings,
  type TextFormat,
  type Tool,
  type ToolChoice,
  type ToolReference,
} from '../../domain/response-settings.ts';
import { ApiError } from '../http/errors.ts';
import type { ChatRequest } from './request-schema.ts';
import { sharedSettings } from '../submit/shared-settings.ts';

/** Does the client use `functions`, the API's first form of tools? Its response has that form too. */
export function isLegacy({ functions, function_call }: ChatRequest): boolean {
  return functions != null || function_call != null;
}

/** @throws ApiError 400 where two fields contradict each other */
export function chatSettings(body: ChatRequest, model: string, isStored: boolean): ResponseSettings {
  return {
    ...defaultSettings(model),
    ...sharedSettings(body),
    stop: typeof body.stop === 'string' ? [body.stop] : body.stop?.length === 0 ? null : (body.stop ?? null),
    seed: body.seed ?? null,
    max_output_tokens: maxTokensOf(body),
    text: { format: formatOf(body.response_format), verbosity: body.verbosity ?? null },
    tools: toolsOf(body),
    tool_choice: toolChoiceOf(body),
    // `functions` allows one call in a response.
    parallel_tool_calls: isLegacy(body) ? false : (body.parallel_tool_calls ?? null),
    reasoning: { effort: body.reasoning_effort ?? null, summary: null },
    metadata: body.metadata ?? {},
    store: isStored,
  };
}

function maxTokensOf({ max_completion_tokens, max_tokens }: ChatRequest): number | null {
  if (max_completion_tokens != null && max_tokens != null && max_completion_tokens !== max_tokens) {
    throw contradictionError('max_tokens', 'max_completion_tokens');
  }
  return max_completion_tokens ?? max_tokens ?? null;
}

function formatOf(format: ChatRequest['response_format']): TextFormat {
  if (format == null) return { type: 'text' };
  if (format.type !== 'json_schema') return format;
  const { name, description, schema, strict } = format.json_schema;
  return { type: 'json_schema', name, description: description ?? null, schema: schema ?? {}, strict: strict ?? null };
}

function toolsOf({ tools, functions }: ChatRequest): readonly Tool[] {
  if (tools != null && functions != null) throw contradictionError('functions', 'tools');
  const given = tools ?? functions?.map((each) => ({ type: 'function' as const, function: each })) ?? [];
  return given.map((tool) => (tool.type === 'function' ? functionOf(tool.function) : customOf(tool.custom)));
}

function functionOf({ name, description, parameters, strict }: FunctionShape): Tool {
  return { type: 'function', name, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null };
}

/** The members of a grammar stand one level deeper here than in the Responses API. */
function customOf({ name, description, format }: CustomShape): Tool {
  const own = format == null ? {} : { format: format.type === 'text' ? format : { type: 'grammar', ...format.grammar } };
  return { type: 'custom', name, description: description ?? null, ...own };
}

type GivenTool = NonNullable<ChatRequest['tools']>[number];
type FunctionShape = Extract<GivenTool, { type: 'function' }>['function'];
type CustomShape = Extract<GivenTool, { type: 'custom' }>['custom'];

function toolChoiceOf({ tool_choice: choice, function_call: legacy }: ChatRequest): ToolChoice | null {
  if (choice != null && legacy != null) throw contradictionError('function_call', 'tool_choice');
  if (legacy != null) return typeof legacy === 'string' ? legacy : { type: 'function', name: legacy.name };
  if (choice == null || typeof choice === 'string') return choice ?? null;
  if (choice.type !== 'allowed_tools') return referenceOf(choice);
  const { mode, tools } = choice.allowed_tools;
  return { type: 'allowed_tools', mode, tools: tools.map(referenceOf) };
}

type NamedTool = Exclude<ChatRequest['tool_choice'], string | { type: 'allowed_tools' } | null | undefined>;

function referenceOf(tool: NamedTool): ToolReference {
  return { type: tool.type, name: tool.type === 'function' ? tool.function.name : tool.custom.name };
}

function contradictionError(param: string, other: string): ApiError {
  return new ApiError({
    status: 400,
    param,
    code: 'mutually_exclusive_parameters',
    message: `'${param}' and '${other}' say the same thing in two ways. Leave '${param}' out.`,
  });
}

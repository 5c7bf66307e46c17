/** The fields of a Chat Completions request that are a turn's settings. Pure. */
import {
  defaultSettings,
  type OtherTool,
  type ResponseSettings,
  type TextFormat,
  type Tool,
  type ToolChoice,
  type ToolReference,
} from '../../domain/response/response-settings.ts';
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
  return given.map((tool): Tool => {
    if (isFunction(tool)) return functionOf(tool.function);
    return isCustom(tool) ? customOf(tool.custom) : (tool as OtherTool);
  });
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
type FunctionTool = Extract<GivenTool, { function: object }>;
type CustomTool = Extract<GivenTool, { custom: object }>;
type FunctionShape = FunctionTool['function'];
type CustomShape = CustomTool['custom'];

function isFunction(tool: GivenTool): tool is FunctionTool {
  return tool.type === 'function';
}

function isCustom(tool: GivenTool): tool is CustomTool {
  return tool.type === 'custom';
}

function toolChoiceOf({ tool_choice: choice, function_call: legacy }: ChatRequest): ToolChoice | null {
  if (choice != null && legacy != null) throw contradictionError('function_call', 'tool_choice');
  if (legacy != null) return typeof legacy === 'string' ? legacy : { type: 'function', name: legacy.name };
  if (choice == null || typeof choice === 'string') return choice ?? null;
  if (!isAllowed(choice)) return referenceOf(choice);
  const { mode, tools } = choice.allowed_tools;
  return { type: 'allowed_tools', mode, tools: tools.map(referenceOf) };
}

type GivenChoice = Exclude<ChatRequest['tool_choice'], string | null | undefined>;
type AllowedTools = Extract<GivenChoice, { type: 'allowed_tools' }>;
type NamedTool = AllowedTools['allowed_tools']['tools'][number];
type NamedFunction = Extract<NamedTool, { type: 'function' }>;
type NamedCustom = Extract<NamedTool, { type: 'custom' }>;

function isAllowed(choice: GivenChoice): choice is AllowedTools {
  return choice.type === 'allowed_tools';
}

/** A tool that only the Responses API has is named here as there. */
function referenceOf(tool: NamedTool): ToolReference {
  if (tool.type === 'function') return { type: tool.type, name: (tool as NamedFunction).function.name };
  return tool.type === 'custom' ? { type: tool.type, name: (tool as NamedCustom).custom.name } : tool;
}

function contradictionError(param: string, other: string): ApiError {
  return new ApiError({
    status: 400,
    param,
    code: 'mutually_exclusive_parameters',
    message: `'${param}' and '${other}' say the same thing in two ways. Leave '${param}' out.`,
  });
}

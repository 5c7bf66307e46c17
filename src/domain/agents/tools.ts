/**
 * Tools of every kind, and which of them a provider can have. A provider of the Responses API gets all of them as they are.
 * Chat Completions knows functions alone: custom tools and namespaces are told as functions (`providers/openai/chat-tools.ts`),
 * and what only OpenAI's servers can run, or only its API can ask the client for, is left out. Pure.
 */
import { type Agent, readToolName } from './agent.ts';
import type { Json, JsonObject } from '../item.ts';
import type { ModelRequest } from '../model.ts';
import type { ProviderApi } from '../provider-capabilities.ts';
import {
  isAllowedTools,
  type OmittedTool,
  type OtherTool,
  type ResponseSettings,
  type Tool,
  type ToolChoice,
  type ToolReference,
} from '../response/response-settings.ts';

/**
 * The settings with the tools that a provider of this API can have, and what was left out of them and of the items' tools.
 * @param clientApi the API of the request: what a client of Chat Completions could not be asked for is left out for any provider
 */
export function withToolsInForce(
  api: ProviderApi,
  settings: ResponseSettings,
  items: readonly { readonly type: string }[] = [],
  clientApi: ProviderApi = 'responses',
): ResponseSettings {
  if (api === 'responses' && clientApi === 'responses') return settings;
  const omitted: OmittedTool[] = [];
  const tools = toolsOfChat(settings.tools, 'tools', omitted, api === 'responses' ? isRunByProvider : undefined);
  for (const [index, item] of items.entries()) toolsOfChat(toolsIn(item), `input[${index}].tools`, omitted);
  if (omitted.length === 0) return settings;
  return { ...settings, tools, omitted_tools: omitted, tool_choice: withoutOmitted(settings.tool_choice, omitted) };
}

/**
 * All that the model may call through Chat Completions: the request's own tools, then those that items of the conversation
 * bring (`additional_tools`: Codex offers its tools so), the newest first.
 */
export function callableTools({ settings, items }: ModelRequest): readonly Tool[] {
  const brought = items.toReversed().flatMap((item) => toolsIn(item));
  return brought.length === 0 ? settings.tools : [...settings.tools, ...toolsOfChat(brought, '', [])];
}

/** An item that says nothing, and brings tools. */
export function bringsTools({ type }: { readonly type: string }): boolean {
  return type === 'additional_tools';
}

/** What an item brings. Its members are as the client sent them. */
function toolsIn(item: { readonly type: string }): readonly Tool[] {
  if (!bringsTools(item)) return [];
  return readTools((item as { readonly tools?: Json }).tools);
}

function readTools(given: Json | undefined): readonly Tool[] {
  return Array.isArray(given) ? given.flatMap((each: Json) => readTool(each)) : [];
}

function readTool(given: Json): readonly Tool[] {
  if (typeof given !== 'object' || given === null || !('type' in given) || typeof given.type !== 'string') return [];
  const { type, name, description, parameters, strict, tools } = given;
  if (type !== 'function' && type !== 'custom' && type !== 'namespace') return [given as unknown as OtherTool];
  if (typeof name !== 'string') return [];
  const named = { ...given, name, description: typeof description === 'string' ? description : null };
  if (type === 'custom') return [{ ...named, type }];
  if (type === 'namespace') return [{ ...named, type, tools: readTools(tools) }];
  const isSchema = typeof parameters === 'object' && !Array.isArray(parameters);
  return [
    {
      ...named,
      type,
      parameters: isSchema ? (parameters as JsonObject | null) : null,
      strict: typeof strict === 'boolean' ? strict : null,
    },
  ];
}

/** Their calls are the client's to carry out, in forms that the Responses API has alone. All others run on the provider's servers. */
const ofClients: ReadonlySet<string> = new Set(['apply_patch', 'computer', 'local_shell', 'shell', 'tool_search']);

function isRunByProvider({ type }: Tool): boolean {
  return !ofClients.has(kindOf(type));
}

function toolsOfChat(
  tools: readonly Tool[],
  path: string,
  omitted: OmittedTool[],
  canHave: (tool: Tool) => boolean = () => false,
): readonly Tool[] {
  return tools.flatMap((tool, index): readonly Tool[] => {
    const param = `${path}[${index}]`;
    if (tool.type === 'function' || tool.type === 'custom') return [tool];
    if (tool.type === 'namespace') {
      const members = toolsOfChat(tool.tools, `${param}.tools`, omitted);
      // As it came, where all of it stays: the response shows it so.
      return members.length === 0 ? [] : [members.length === tool.tools.length ? tool : { ...tool, tools: members }];
    }
    if (canHave(tool)) return [tool];
    const name = nameOf(tool);
    omitted.push({ param, type: tool.type, ...(name === undefined ? {} : { name }) });
    return [];
  });
}

/** To be allowed a tool is not to ask for it: what else is allowed stays. */
function withoutOmitted(choice: ToolChoice | null, omitted: readonly OmittedTool[]): ToolChoice | null {
  if (choice === null || !isAllowedTools(choice)) return choice;
  const tools = choice.tools.filter((tool) => !isOmitted(tool, omitted));
  return tools.length === 0 ? choice : { ...choice, tools };
}

/** The tool that a choice demands and that was left out; undefined where there is none. */
export function demandedOmitted(
  { tools: own, tool_choice: choice, omitted_tools: omitted = [], agent }: ResponseSettings,
  items: readonly { readonly type: string }[] = [],
): string | undefined {
  if (choice === null || omitted.length === 0) return undefined;
  const tools = [...own, ...toolsOfAgent(agent)];
  if (choice === 'required') {
    const isCallable = tools.length > 0 || items.some((item) => toolsOfChat(toolsIn(item), '', []).length > 0);
    return isCallable ? undefined : omitted[0]?.type;
  }
  if (typeof choice === 'string') return undefined;
  if (isAllowedTools(choice)) return choice.tools.every((tool) => isOmitted(tool, omitted)) ? choice.tools[0]?.type : undefined;
  return isOmitted(choice, omitted) && !tools.some((offered) => isReferredTo(offered, choice)) ? choice.type : undefined;
}

/** The first tool that a choice names and that the request does not bring, nor an item of it. */
export function unknownChoice(
  { tools: own, tool_choice: choice, omitted_tools: omitted = [], agent }: ResponseSettings,
  items: readonly { readonly type: string }[] = [],
): ToolReference | undefined {
  if (choice === null || typeof choice === 'string') return undefined;
  const tools = [...own, ...toolsOfAgent(agent), ...items.flatMap((item) => toolsIn(item))];
  const named = isAllowedTools(choice) ? choice.tools : [choice];
  return named.find((tool) => !isOmitted(tool, omitted) && !tools.some((offered) => isReferredTo(offered, tool)));
}

/** Those that a worker runs, as a choice may name them. What an MCP server offers is known to the worker alone. */
function toolsOfAgent(agent: Agent | undefined): readonly Tool[] {
  return (agent?.tools ?? []).map(readToolName).map(({ kind, name }): Tool => {
    if (kind === 'mcp') return { type: 'mcp', server_label: name } as unknown as OtherTool;
    return { type: 'function', name, description: null, parameters: null, strict: null };
  });
}

function isReferredTo(tool: Tool, reference: ToolReference): boolean {
  if (tool.type === 'namespace') {
    if (reference.type === 'namespace') return tool.name === reference.name;
    const isInside = reference.namespace === undefined || reference.namespace === tool.name;
    return isInside && tool.tools.some((member) => isReferredTo(member, withoutNamespace(reference)));
  }
  if (reference.namespace !== undefined) return false;
  if (tool.type === 'function' || tool.type === 'custom') return tool.type === reference.type && tool.name === reference.name;
  const { server_label: label } = tool as { readonly server_label?: unknown };
  if (label !== undefined && reference.server_label !== undefined && label !== reference.server_label) return false;
  // By type alone: one kind of hosted tool has several names (`web_search_preview_2025_03_11`).
  return kindOf(tool.type) === kindOf(reference.type);
}

function withoutNamespace({ namespace: _namespace, ...reference }: ToolReference): ToolReference {
  return reference;
}

function isOmitted(tool: ToolReference, omitted: readonly OmittedTool[]): boolean {
  return omitted.some(({ type }) => kindOf(type) === kindOf(tool.type));
}

function kindOf(type: string): string {
  return type.replace(/(?:_preview|_use)*(?:_\d{4}_\d{2}_\d{2})?$/, '');
}

function nameOf(tool: Tool): string | undefined {
  const { name, server_label: label } = tool as { readonly name?: unknown; readonly server_label?: unknown };
  if (typeof name === 'string') return name;
  return typeof label === 'string' ? label : undefined;
}

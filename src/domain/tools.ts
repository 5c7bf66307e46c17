/**
 * Tools of every kind, and which of them a provider can have. A provider of the Responses API gets all of them as they are.
 * Chat Completions knows functions alone: custom tools and namespaces are told as functions (`providers/openai/chat-tools.ts`),
 * and what only OpenAI's servers can run, or only its API can ask the client for, is left out. Pure.
 */
import type { ProviderApi } from './provider-capabilities.ts';
import {
  isAllowedTools,
  type OmittedTool,
  type ResponseSettings,
  type Tool,
  type ToolChoice,
  type ToolReference,
} from './response-settings.ts';

/** The settings with the tools that a provider of this API can have, and what was left out. */
export function withToolsInForce(api: ProviderApi, settings: ResponseSettings): ResponseSettings {
  if (api === 'responses') return settings;
  const omitted: OmittedTool[] = [];
  const tools = toolsOfChat(settings.tools, 'tools', omitted);
  if (omitted.length === 0) return settings;
  return { ...settings, tools, omitted_tools: omitted, tool_choice: withoutOmitted(settings.tool_choice, omitted) };
}

function toolsOfChat(tools: readonly Tool[], path: string, omitted: OmittedTool[]): readonly Tool[] {
  return tools.flatMap((tool, index): readonly Tool[] => {
    const param = `${path}[${index}]`;
    if (tool.type === 'function' || tool.type === 'custom') return [tool];
    if (tool.type === 'namespace') {
      const members = toolsOfChat(tool.tools, `${param}.tools`, omitted);
      // As it came, where all of it stays: the response shows it so.
      return members.length === 0 ? [] : [members.length === tool.tools.length ? tool : { ...tool, tools: members }];
    }
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
export function demandedOmitted({ tools, tool_choice: choice, omitted_tools: omitted = [] }: ResponseSettings): string | undefined {
  if (choice === null || omitted.length === 0) return undefined;
  if (choice === 'required') return tools.length === 0 ? omitted[0]?.type : undefined;
  if (typeof choice === 'string') return undefined;
  if (isAllowedTools(choice)) return choice.tools.every((tool) => isOmitted(tool, omitted)) ? choice.tools[0]?.type : undefined;
  return isOmitted(choice, omitted) ? choice.type : undefined;
}

/** The first tool that a choice names and that the request does not bring. */
export function unknownChoice({ tools, tool_choice: choice, omitted_tools: omitted = [] }: ResponseSettings): ToolReference | undefined {
  if (choice === null || typeof choice === 'string') return undefined;
  const named = isAllowedTools(choice) ? choice.tools : [choice];
  return named.find((tool) => !isOmitted(tool, omitted) && !tools.some((offered) => isReferredTo(offered, tool)));
}

function isReferredTo(tool: Tool, reference: ToolReference): boolean {
  if (tool.type === 'namespace') {
    if (reference.type === 'namespace') return tool.name === reference.name;
    const isInside = reference.namespace === undefined || reference.namespace === tool.name;
    return isInside && tool.tools.some((member) => isReferredTo(member, withoutNamespace(reference)));
  }
  if (reference.namespace !== undefined) return false;
  if (tool.type === 'function' || tool.type === 'custom') return tool.type === reference.type && tool.name === reference.name;
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

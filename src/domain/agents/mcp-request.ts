/**
 * What a request says of the tools of a configured MCP server (`tools: [{ type: 'mcp', … }]`): which of them its turn has, and
 * which wait for a person. It narrows what the configuration allows, and never widens it: `require_approval` adds waits, and takes
 * none away. Pure.
 */
import type { Json, JsonObject } from '../item.ts';
import type { Tool } from '../response/response-settings.ts';

/** A tool, as far as a request can choose by it. */
export interface ChosenTool {
  readonly name: string;
  /** Of an MCP server. */
  readonly annotations?: JsonObject;
}

export interface McpRequest {
  readonly serverLabel: string;
  readonly allows: (tool: ChosenTool) => boolean;
  /** It allows no tool of this name, whatever the server says of that. */
  readonly leavesOut: (name: string) => boolean;
  /** Whether it waits for a person, whatever the configuration says. */
  readonly asks: (tool: ChosenTool) => boolean;
}

/** In OpenAI's form: by name, by what a server says of the tool, or by both. */
interface Filter {
  readonly tool_names?: readonly string[] | null;
  readonly read_only?: boolean | null;
}

/** What is wrong with a tool of a request, as `path: words`. */
export type Mistake = { readonly path: string; readonly message: string };

/** undefined: it is no MCP server. What is wrong with it was refused (`mistakeIn`). */
export function mcpRequestOf(tool: Tool): McpRequest | undefined {
  const { type, server_label: serverLabel, allowed_tools: allowed, require_approval: approval } = tool as unknown as JsonObject;
  if (type !== 'mcp' || typeof serverLabel !== 'string') return undefined;
  return {
    serverLabel,
    allows: (chosen) => allowed == null || isChosen(filterOf(allowed), chosen),
    leavesOut: (name) => allowed != null && filterOf(allowed).tool_names?.includes(name) === false,
    asks: (chosen) => {
      if (approval === 'always') return true;
      const always = isObject(approval) ? approval['always'] : undefined;
      return always != null && isChosen(filterOf(always), chosen);
    },
  };
}

/** What of `allowed_tools` and `require_approval` is not in OpenAI's form. */
export function mistakeIn(tool: Tool): Mistake | undefined {
  const { allowed_tools: allowed, require_approval: approval } = tool as unknown as JsonObject;
  if (allowed != null && !isFilter(allowed)) return { path: 'allowed_tools', message: `must be ${filterForm}` };
  if (approval == null || approval === 'always' || approval === 'never') return undefined;
  if (!isObject(approval)) return { path: 'require_approval', message: 'must be always, never, or an object of these two' };
  const wrong = Object.entries(approval).find(([name, filter]) => !isApprovalName(name) || (filter != null && !isFilter(filter)));
  if (wrong === undefined) return undefined;
  const path = `require_approval.${wrong[0]}`;
  return { path, message: isApprovalName(wrong[0]) ? `must be ${filterForm}` : 'is not known: there are always and never' };
}

const filterForm = 'a list of names, or an object with tool_names, read_only, or both';

function isApprovalName(name: string): boolean {
  return name === 'always' || name === 'never';
}

function isFilter(value: Json): boolean {
  if (isNames(value)) return true;
  if (!isObject(value)) return false;
  const { tool_names: names, read_only: isReadOnly, ...rest } = value;
  return Object.keys(rest).length === 0 && (names == null || isNames(names)) && (isReadOnly == null || typeof isReadOnly === 'boolean');
}

function filterOf(value: Json): Filter {
  return Array.isArray(value) ? { tool_names: value as readonly string[] } : (value as Filter);
}

function isChosen({ tool_names: names, read_only: isReadOnly }: Filter, { name, annotations }: ChosenTool): boolean {
  const saysReadOnly = annotations?.['readOnlyHint'] === true;
  return (names == null || names.includes(name)) && (isReadOnly == null || isReadOnly === saysReadOnly);
}

function isNames(value: Json): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

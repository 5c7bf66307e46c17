/**
 * The types of items that there are: those of turnkeep, and all that OpenAI has published. One that nobody knows is a slip of the
 * pen: a provider would refuse it, and with it every later turn of the conversation that it is in (T13).
 */
import { nearestName } from './nearest-name.ts';

/** Of openai 7.57, in requests and in answers; those of its beta too. `test/conformance/openai-tool-kinds.test.ts` compares them. */
export const publishedTypes = [
  'additional_tools',
  'agent_message',
  'apply_patch_call',
  'apply_patch_call_output',
  'code_interpreter_call',
  'compaction',
  'compaction_trigger',
  'computer_call',
  'computer_call_output',
  'configuration_update',
  'custom_tool_call',
  'custom_tool_call_output',
  'file_search_call',
  'function_call',
  'function_call_output',
  'image_generation_call',
  'item_reference',
  'local_shell_call',
  'local_shell_call_output',
  'mcp_approval_request',
  'mcp_approval_response',
  'mcp_call',
  'mcp_list_tools',
  'message',
  'multi_agent_call',
  'multi_agent_call_output',
  'program',
  'program_output',
  'reasoning',
  'shell_call',
  'shell_call_output',
  'tool_search_call',
  'tool_search_output',
  'web_search_call',
] as const;

const published: ReadonlySet<string> = new Set(publishedTypes);

/**
 * What is wrong with the type of a client's item; undefined where nothing is. A type of a provider's own passes where the item
 * has an id: all that were given out have one, and they are taken back (T13), also where nothing of them was stored.
 */
export function problemOfType({ type, id }: { readonly type: string; readonly id?: string | null | undefined }): string | undefined {
  if (published.has(type) || (id != null && id !== '')) return undefined;
  const nearest = nearestName(type, publishedTypes);
  const advice =
    nearest === undefined
      ? "one of a provider's own goes back with the id that it came with; leave others out"
      : `did you mean '${nearest}'?`;
  return `'${type}' is no type of an item: ${advice}`;
}

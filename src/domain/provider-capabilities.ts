/**
 * What the provider's API can express. A field of a request that it cannot is an error that names the field, before the
 * turn is accepted; it is never dropped. Pure. A model may support less than its API: its server says so itself.
 *
 * Accepted, although the provider is not sent all of it, because nothing that was asked for is lost:
 * - With Chat Completions, `include` of what belongs to hosted tools (`web_search_call.action.sources`, …), and of
 *   `reasoning.encrypted_content`: it carries what the provider wants to see again, if there is such a thing. Stock clients
 *   (Codex, the AI SDK) always ask for it.
 * - With Chat Completions, tools of other kinds than functions: told as functions, or left out and said so (`tools.ts`).
 * - With Chat Completions, `context_management`: left out and said so (`withFieldsInForce`). Clients send it as a precaution.
 * - With Chat Completions, tools that come as an item (`additional_tools`): offered beside the others. `reasoning.context`:
 *   which reasoning goes back is what the server wants to see (`providers/openai/chat-reasoning.ts`). Codex sends both.
 * - With Chat Completions, `client_metadata` and `prompt_cache_options`: they change nothing of an answer. `phase` and
 *   `namespace` of items: what was said, and which function was called, is told.
 * - Reasoning items of earlier responses: chat servers are sent those that they want back (`providers/openai/chat-reasoning.ts`),
 *   and a provider of the Responses API that stores nothing can read only those with `encrypted_content`. The others are for
 *   people who read the transcript.
 * - `truncation` with Chat Completions: turnkeep has the model summarise what is too long (`overflow.ts`).
 *   `reasoning.summary: "auto"`: what it does anyway.
 * - `tool_choice` `auto` and `none`, and `parallel_tool_calls`, where there are no tools to choose or call.
 * - `metadata`, `store`, `background`: turnkeep's own work, whatever the provider.
 */
import { compactionContent, isCompaction, isCompactionTrigger } from './prompt/compaction.ts';
import { type InputPart, isCallOutput, isOpaque, type MessagePart, type NewItem } from './item.ts';
import { problemOfType } from './item-types.ts';
import type { ResponseSettings } from './response/response-settings.ts';
import { bringsTools } from './agents/tools.ts';

export interface Unsupported {
  /** The field's path in the request: `input[2].content[0].file_id`. */
  readonly param: string;
  /** What is wrong with it and what to do, without a full stop. */
  readonly message: string;
}

/** Chat Completions or the Responses API. */
export type ProviderApi = 'chat' | 'responses';

export interface RequestedTurn {
  readonly settings: ResponseSettings;
  /** The request's `input`, in order. */
  readonly items: readonly RequestedItem[];
}

/** An item that a reference points to was checked when it came in. */
type RequestedItem = NewItem | { readonly type: 'item_reference' };

/** The first field of a request that a provider of this API cannot be sent; undefined when there is none. */
export function unsupportedBy(api: ProviderApi, { settings, items }: RequestedTurn): Unsupported | undefined {
  // Of an agent's turn, turnkeep has asked for the approval: its answer is not the provider's.
  const isOwn = (item: RequestedItem): boolean => settings.agent !== undefined && isApprovalResponse(item);
  return unsupportedSetting(api, settings) ?? unsupportedItem(api, items, 'input', isOwn);
}

/**
 * The settings without `context_management`, where the provider cannot compact by itself. The answer is the same without it, until
 * the conversation is too long for the model; `POST /v1/responses/compact` and a `compaction_trigger` work with any provider.
 */
export function withFieldsInForce(api: ProviderApi, settings: ResponseSettings): ResponseSettings {
  const { context_management: management, ...passed } = settings.passed ?? {};
  if (api === 'responses' || !Array.isArray(management)) return settings;
  const entries = (management as readonly { readonly type: string }[]).map(({ type }, at) => ({
    param: `context_management[${at}]`,
    type,
  }));
  return { ...settings, passed, ...(entries.length === 0 ? {} : { omitted_fields: entries }) };
}

const logprobs = 'message.output_text.logprobs';

function unsupportedSetting(api: ProviderApi, settings: ResponseSettings): Unsupported | undefined {
  const { include, max_tool_calls, reasoning, stop, seed, agent } = settings;
  if (api === 'responses') {
    if (stop !== null) return { param: 'stop', message: `${responsesCannot} stop at a text; leave it out` };
    return seed === null ? undefined : { param: 'seed', message: `${responsesCannot} take a seed; leave it out` };
  }
  if (include.includes(logprobs)) {
    return { param: `include[${include.indexOf(logprobs)}]`, message: 'log probabilities are not kept; leave it out' };
  }
  const lost = lostWithChat(settings);
  if (lost !== undefined) return { param: lost, message: `${chatCannot} do that; leave it out` };
  // Of tools that a worker runs, turnkeep counts the calls itself.
  if (max_tool_calls !== null && agent === undefined)
    return { param: 'max_tool_calls', message: `${chatCannot} limit tool calls; leave it out` };
  if (reasoning.summary !== null && reasoning.summary !== 'auto') {
    return { param: 'reasoning.summary', message: `${chatCannot} choose among summaries; use "auto" or leave it out` };
  }
  return undefined;
}

/** The first of the fields that are passed on to a provider of the Responses API whose effect another one cannot have. */
function lostWithChat({ passed = {}, reasoning }: ResponseSettings): string | undefined {
  const { image, moderation, access_programs: programs, prompt, top_logprobs: logprobCount } = passed;
  if (moderation !== undefined) return 'moderation';
  if ((image as { context_compression?: unknown } | undefined)?.context_compression === 'enabled') return 'image.context_compression';
  if (programs !== undefined) return 'access_programs';
  if (prompt !== undefined) return 'prompt';
  if (logprobCount !== undefined && logprobCount !== 0) return 'top_logprobs';
  const { mode } = reasoning as { readonly mode?: unknown };
  return mode != null && mode !== 'standard' ? 'reasoning.mode' : undefined;
}

const responsesCannot = 'the model provider is asked through the Responses API, which cannot';
const approvesNothing =
  'this request has no tool that could wait for an approval. Send it with the model and the tools of the request whose answer asked: an agent as model, or tools: [{"type": "mcp", "server_label": "…"}]';
const chatCannot = 'the model provider is asked through Chat Completions, which cannot';

/**
 * The first field among items that a provider of this API cannot be sent.
 * @param list what the request calls the items: `input`, or `items` where they are put into a conversation
 */
export function unsupportedItem(
  api: ProviderApi,
  items: readonly RequestedItem[],
  list: string,
  isTaken: (item: RequestedItem) => boolean = () => false,
): Unsupported | undefined {
  for (const [index, item] of items.entries()) {
    if (item.type === 'item_reference' || isTaken(item)) continue;
    if (isOpaque(item)) {
      const problem = problemOfType(item);
      if (problem !== undefined) return { param: `${list}[${index}].type`, message: problem };
      if (list === 'items' && isCompactionTrigger(item)) {
        return {
          param: `${list}[${index}]`,
          message: "a compaction_trigger asks for something and is not kept: put it last in a request's input",
        };
      }
      const isRead = isCompaction(item) && ['summary', 'none'].includes(compactionContent(item).type);
      if (isRead || isToldAsText(item.type) || bringsTools(item)) continue;
      if (isCompaction(item) && compactionContent(item).type === 'damaged') {
        return { param: `${list}[${index}].encrypted_content`, message: 'it is not as turnkeep gave it out' };
      }
      if (api === 'responses') continue;
      if (isApprovalResponse(item)) return { param: `${list}[${index}]`, message: approvesNothing };
      return { param: `${list}[${index}]`, message: `${chatCannot} take an item of the type '${item.type}'; leave it out` };
    }
    for (const [name, parts] of partsOf(item)) {
      for (const [place, part] of parts.entries()) {
        const problem = problemOf(api, item, part);
        if (problem !== undefined) return { param: `${list}[${index}].${name}[${place}]${problem.field}`, message: problem.message };
      }
    }
  }
  return undefined;
}

function isApprovalResponse({ type }: RequestedItem): boolean {
  return (type as string) === 'mcp_approval_response';
}

function partsOf(item: NewItem): readonly (readonly [name: string, parts: readonly (InputPart | MessagePart)[]])[] {
  if (item.type === 'message') return [['content', item.content]];
  return isCallOutput(item) && typeof item.output !== 'string' ? [['output', item.output]] : [];
}

/**
 * What a hosted tool did, or a client did for one: Chat Completions has no form for it, and the model is told of it in words.
 * Of the others something would be lost: sealed text that only its provider can read, tools that come with an item, a question
 * that the provider waits to have answered.
 */
function isToldAsText(type: string): boolean {
  return toldAsText.has(type);
}

const toldAsText: ReadonlySet<string> = new Set([
  'apply_patch_call',
  'apply_patch_call_output',
  'code_interpreter_call',
  'file_search_call',
  'local_shell_call',
  'local_shell_call_output',
  'mcp_call',
  'mcp_list_tools',
  'shell_call',
  'shell_call_output',
  'web_search_call',
]);

interface PartProblem {
  /** The part's field; empty for the part itself. */
  readonly field: '' | '.file_id' | '.file_url';
  readonly message: string;
}

function problemOf(api: ProviderApi, item: NewItem, part: InputPart | MessagePart): PartProblem | undefined {
  if (part.type !== 'input_image' && part.type !== 'input_file') return undefined;
  if (item.type === 'message' && item.role === 'assistant') {
    return { field: '', message: 'a message of the assistant holds text and refusals only; put it into a message of the user' };
  }
  if (api === 'responses') return undefined;
  if (item.type !== 'message' || item.role !== 'user') {
    return { field: '', message: `${chatCannot} take images or files anywhere but in a message of the user` };
  }
  if (part.type === 'input_image' && part.file_id !== undefined) {
    return { field: '.file_id', message: `${chatCannot} take an image by its id; give image_url, a URL or a data URL` };
  }
  if (part.type === 'input_file' && part.file_url !== undefined) {
    return { field: '.file_url', message: `${chatCannot} fetch a file; give file_data, a data URL, or file_id` };
  }
  return undefined;
}

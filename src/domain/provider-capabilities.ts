/**
 * What the provider's API can express. A field of a request that it cannot is an error that names the field, before the
 * turn is accepted; it is never dropped. Pure. A model may support less than its API: its server says so itself.
 *
 * Accepted, although the provider is not sent all of it, because nothing that was asked for is lost:
 * - `include` of what belongs to tools that turnkeep does not run (`web_search_call.action.sources`, …) and, with Chat
 *   Completions, of `reasoning.encrypted_content`: it carries what the provider wants to see again, if there is such a thing.
 *   Stock clients (Codex, the AI SDK) always ask for it.
 * - Reasoning items of earlier responses: chat servers are sent those that they want back (`providers/openai/chat-reasoning.ts`),
 *   and a provider of the Responses API that stores nothing can read only those with `encrypted_content`. The others are for
 *   people who read the transcript.
 * - `truncation: "disabled"` and `reasoning.summary: "auto"` with Chat Completions: what it does anyway.
 * - `tool_choice` `auto` and `none`, and `parallel_tool_calls`, where there are no tools to choose or call.
 * - `metadata`, `store`, `background`: turnkeep's own work, whatever the provider.
 */
import type { InputPart, MessagePart, NewItem } from './item.ts';
import type { ResponseSettings } from './response-settings.ts';

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
  return unsupportedSetting(api, settings) ?? unsupportedItem(api, items, 'input');
}

const logprobs = 'message.output_text.logprobs';

function unsupportedSetting(api: ProviderApi, settings: ResponseSettings): Unsupported | undefined {
  const { include, truncation, max_tool_calls, reasoning, stop, seed } = settings;
  if (include.includes(logprobs)) {
    return { param: `include[${include.indexOf(logprobs)}]`, message: 'log probabilities are not kept; leave it out' };
  }
  if (api === 'responses') {
    if (stop !== null) return { param: 'stop', message: `${responsesCannot} stop at a text; leave it out` };
    return seed === null ? undefined : { param: 'seed', message: `${responsesCannot} take a seed; leave it out` };
  }
  if (truncation === 'auto') return { param: 'truncation', message: `${chatCannot} truncate; use "disabled" or leave it out` };
  if (max_tool_calls !== null) return { param: 'max_tool_calls', message: `${chatCannot} limit tool calls; leave it out` };
  if (reasoning.summary !== null && reasoning.summary !== 'auto') {
    return { param: 'reasoning.summary', message: `${chatCannot} choose among summaries; use "auto" or leave it out` };
  }
  return undefined;
}

const responsesCannot = 'the model provider is asked through the Responses API, which cannot';
const chatCannot = 'the model provider is asked through Chat Completions, which cannot';

/**
 * The first field among items that a provider of this API cannot be sent.
 * @param list what the request calls the items: `input`, or `items` where they are put into a conversation
 */
export function unsupportedItem(api: ProviderApi, items: readonly RequestedItem[], list: string): Unsupported | undefined {
  for (const [index, item] of items.entries()) {
    if (item.type === 'item_reference') continue;
    for (const [name, parts] of partsOf(item)) {
      for (const [place, part] of parts.entries()) {
        const problem = problemOf(api, item, part);
        if (problem !== undefined) return { param: `${list}[${index}].${name}[${place}]${problem.field}`, message: problem.message };
      }
    }
  }
  return undefined;
}

function partsOf(item: NewItem): readonly (readonly [name: string, parts: readonly (InputPart | MessagePart)[]])[] {
  if (item.type === 'message') return [['content', item.content]];
  return item.type === 'function_call_output' && typeof item.output !== 'string' ? [['output', item.output]] : [];
}

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

/**
 * What a request asks of its provider that the provider's API has no words for: refused by the field's name before
 * the turn is taken in, never dropped. Pure. The models behind an API know still less; that their server says itself.
 *
 * Not refused, although not everything of it reaches the provider, because nothing that was asked for is lost:
 * - `include` of what belongs to tools the API does not run (`web_search_call.action.sources`, …) and, with Chat
 *   Completions, of `reasoning.encrypted_content`: there is none to include, as with a model that does not reason.
 *   Stock clients (Codex, the AI SDK) ask for it always.
 * - Reasoning items of earlier answers: chat servers expect them left out, and a provider of the Responses API that
 *   stores nothing can read only those with `encrypted_content`. The others tell a reader how an answer came about.
 * - `truncation: "disabled"` and `reasoning.summary: "auto"` with Chat Completions: what it does anyway.
 * - `tool_choice` `auto` and `none`, and `parallel_tool_calls`, where there are no tools to choose or call.
 * - `metadata`, `store`, `background`: carried out here, whatever the provider.
 */
import type { InputPart, MessagePart, NewItem } from './item.ts';
import type { ResponseSettings } from './response-settings.ts';

export interface Unsupported {
  /** The field in the shape of the request: `input[2].content[0].file_id`. */
  readonly param: string;
  /** What is wrong with it, and what to do. */
  readonly message: string;
}

type Api = 'chat' | 'responses';

export interface Asked {
  readonly settings: ResponseSettings;
  /** The request's own `input`, in order. */
  readonly items: readonly AskedItem[];
}

/** What a reference points to was looked at when it was put in. */
type AskedItem = NewItem | { readonly type: 'item_reference' };

/** The first field that a provider of this API cannot be asked for; undefined when there is none. */
export function unsupportedBy(api: Api, { settings, items }: Asked): Unsupported | undefined {
  return unsupportedSetting(api, settings) ?? unsupportedItem(api, items, 'input');
}

const logprobs = 'message.output_text.logprobs';

function unsupportedSetting(api: Api, settings: ResponseSettings): Unsupported | undefined {
  const { include, truncation, max_tool_calls, reasoning, stop, seed } = settings;
  if (include.includes(logprobs)) {
    return { param: `include[${include.indexOf(logprobs)}]`, message: 'log probabilities are not kept; leave it out' };
  }
  if (api === 'responses') {
    if (stop !== null) return { param: 'stop', message: `${noResponses} stop at a text; leave it out` };
    return seed === null ? undefined : { param: 'seed', message: `${noResponses} take a seed; leave it out` };
  }
  if (truncation === 'auto') return { param: 'truncation', message: `${noChat} truncate; use "disabled" or leave it out` };
  if (max_tool_calls !== null) return { param: 'max_tool_calls', message: `${noChat} limit tool calls; leave it out` };
  if (reasoning.summary !== null && reasoning.summary !== 'auto') {
    return { param: 'reasoning.summary', message: `${noChat} choose among summaries; use "auto" or leave it out` };
  }
  return undefined;
}

const noResponses = 'the model provider is asked through the Responses API, which cannot';
const noChat = 'the model provider is asked through Chat Completions, which cannot';

/** @param list what the request calls the list: `input`, or `items` where they are put into a conversation. */
export function unsupportedItem(api: Api, items: readonly AskedItem[], list: string): Unsupported | undefined {
  for (const [index, item] of items.entries()) {
    if (item.type === 'item_reference') continue;
    for (const [name, parts] of partsOf(item)) {
      for (const [place, part] of parts.entries()) {
        const trouble = troubleOf(api, item, part);
        if (trouble !== undefined) return { param: `${list}[${index}].${name}[${place}]${trouble.field}`, message: trouble.message };
      }
    }
  }
  return undefined;
}

function partsOf(item: NewItem): readonly (readonly [name: string, parts: readonly (InputPart | MessagePart)[]])[] {
  if (item.type === 'message') return [['content', item.content]];
  return item.type === 'function_call_output' && typeof item.output !== 'string' ? [['output', item.output]] : [];
}

interface Trouble {
  /** Below the part; empty for the part itself. */
  readonly field: '' | '.file_id' | '.file_url';
  readonly message: string;
}

function troubleOf(api: Api, item: NewItem, part: InputPart | MessagePart): Trouble | undefined {
  if (part.type !== 'input_image' && part.type !== 'input_file') return undefined;
  if (item.type === 'message' && item.role === 'assistant') {
    return { field: '', message: 'a message of the assistant holds text and refusals only; put it into a message of the user' };
  }
  if (api === 'responses') return undefined;
  if (item.type !== 'message' || item.role !== 'user') {
    return { field: '', message: `${noChat} take images or files anywhere but in a message of the user` };
  }
  if (part.type === 'input_image' && part.file_id !== undefined) {
    return { field: '.file_id', message: `${noChat} take an image by its id; give image_url, a URL or a data URL` };
  }
  if (part.type === 'input_file' && part.file_url !== undefined) {
    return { field: '.file_url', message: `${noChat} fetch a file; give file_data, a data URL, or file_id` };
  }
  return undefined;
}

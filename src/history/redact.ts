/**
 * A bundle without content: no text that a user, a model, a tool or a provider said, no instructions, arguments, results, values of
 * metadata, words of errors, names of files, addresses, nor ids that a client chose. What stays: lengths, structure, types, numbers
 * of events, ids of turnkeep's own, tokens, times, codes.
 *
 * Nothing stays unless a rule here says so: what a newer version writes beside it is replaced.
 */
import { failureRules } from '../domain/failure.ts';
import { endingReasons, retryingReasons } from '../domain/turn/retry-policy.ts';
import { attemptPhases } from '../domain/turn/timeline-attempts.ts';
import { viewerEnds, viewerProtocols } from '../domain/turn/viewer.ts';
import type { JournalRow } from '../domain/response/response-event.ts';
import { type Replacement, TextRedactor } from './redact-text.ts';

/**
 * `ours`: keys are turnkeep's. `items`: keys are those of OpenAI's objects, or a provider's own. `schema`: a JSON schema. `free`: keys
 * are content too.
 */
type Mode = 'ours' | 'items' | 'schema' | 'free';

/** What is found under these keys is of another kind than what they stand in. */
const modeUnder: { readonly [key: string]: Mode } = {
  items: 'items',
  input: 'items',
  output: 'items',
  tools: 'items',
  tool_choice: 'items',
  metadata: 'free',
  passed: 'free',
  provider_fields: 'free',
  logit_bias: 'free',
  logprobs: 'free',
  parameters: 'schema',
  schema: 'schema',
};

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Values that are the same for everybody. */
const vocabulary = new Set([
  ...Object.keys(failureRules),
  // Ours too: a provider's own words are others.
  ...Object.values(failureRules).map(({ message }) => message),
  ...retryingReasons,
  ...endingReasons,
  ...attemptPhases,
  ...viewerProtocols,
  ...viewerEnds,
  ...words(`
    response conversation list queued in_progress completed incomplete failed cancelled unknown running lost cut_off waiting pending
    delivered refused given_up user assistant system developer tool message reasoning function_call function_call_output
    custom_tool_call custom_tool_call_output mcp_call mcp_approval_request mcp_approval_response mcp_list_tools compaction
    compaction_summary output_text input_text summary_text refusal input_image input_file text json_object json_schema function custom
    namespace mcp web_search allowed_tools auto none required default low medium high minimal original disabled enabled max_output_tokens
    content_filter steered provider open model tools items turnkeep agent owner retention error off final final_answer commentary toolCalls stepEnded
    mcp_tool_execution_error object string number integer boolean array null grammar`),
]);

/** Members whose text is what somebody said, whatever it looks like. */
const said = words('text delta refusal instructions message arguments result name title description output input url progress');

/** Members whose text is JSON. */
const jsonTexts = words('arguments');

const ids = words(`
  id item_id call_id response_id previous_response_id conversation_id approval_request_id turn session previous replaces public_id parent
  workflow_id run_id owner owner_run_id provider_request_id provider_response_id holder worker event_id file_id container_id`);

/** Keys of OpenAI's objects and events, and of turnkeep's items. */
const itemKeys = words(`
  id object type status role content text annotations logprobs summary name arguments call_id output error code message input phase
  namespace server_label approval_request_id approve encrypted_content provider_fields turnkeep step function refusal image_url detail
  filename file_data file_id file_url url title start_index end_index index reason response sequence_number item_id output_index content_index
  summary_index annotation_index annotation item part delta created_at completed_at background incomplete_details instructions
  max_output_tokens max_tool_calls model parallel_tool_calls previous_response_id conversation prompt_cache_key reasoning effort
  safety_identifier service_tier store temperature verbosity format schema strict description tool_choice tools parameters top_logprobs
  top_p presence_penalty frequency_penalty truncation usage user metadata mode input_tokens output_tokens total_tokens
  input_tokens_details output_tokens_details cached_tokens reasoning_tokens cost_usd queries action results`);

const schemaKeys = words(`
  type properties required items enum const anyOf allOf oneOf not description title additionalProperties $ref $defs definitions format
  minimum maximum minLength maxLength pattern default minItems maxItems strict nullable $schema`);

const code = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*|\d{3})$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
const typeName = /^[a-z][a-z0-9_.]{0,63}$/;

interface ResponseEvent {
  readonly type?: unknown;
  readonly delta?: unknown;
}

export class Redactor {
  readonly texts: TextRedactor;
  /** Of the texts that come in deltas: what stands for the whole, and how much of it was given out. */
  readonly #streams = new Map<string, { readonly whole: Replacement; given: number }>();

  /** @param chosenIds that a client chose */
  constructor(chosenIds: Iterable<string> = []) {
    this.texts = new TextRedactor(chosenIds);
  }

  /** A member of a bundle, or a row of one. The event loop is free in between, however much of it there is. */
  async value(value: unknown, mode: Mode = 'ours', key = ''): Promise<unknown> {
    if (this.texts.isTired) await this.texts.rest();
    if (typeof value === 'string') return this.#string(value, mode, key);
    if (typeof value === 'number') return mode === 'free' ? Number(this.texts.number(String(value))) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const elements: unknown[] = [];
      for (const each of value) elements.push(await this.value(each, mode, key));
      return elements;
    }
    const members: (readonly [string, unknown])[] = [];
    for (const [name, member] of Object.entries(value)) {
      const isKnown = mode === 'ours' || (mode === 'items' && itemKeys.has(name)) || (mode === 'schema' && schemaKeys.has(name));
      const under = isKnown ? (mode === 'schema' ? 'schema' : (modeUnder[name] ?? mode)) : mode === 'schema' ? 'schema' : 'free';
      // Tokens and their bytes, in numbers.
      if (name === 'logprobs' && isKnown) members.push([name, []]);
      else members.push([isKnown ? name : this.texts.text(name), await this.value(member, under, name)]);
    }
    return Object.fromEntries(members);
  }

  /** Looks at the rows of a journal before they are redacted: the deltas of a text become parts of what its whole becomes. */
  readonly deltas = {
    hashes: new Map<string, ReturnType<TextRedactor['begin']>>(),
    jsons: new Map<string, string[]>(),
    add: ({ type, data }: Pick<JournalRow, 'type' | 'data'>): void => {
      if (!type.endsWith('.delta')) return;
      const event = JSON.parse(data) as ResponseEvent;
      if (typeof event.delta !== 'string') return;
      const stream = streamOf(event);
      if (type.includes('arguments')) {
        const pieces = this.deltas.jsons.get(stream) ?? [];
        pieces.push(event.delta);
        this.deltas.jsons.set(stream, pieces);
      } else {
        const hash = this.deltas.hashes.get(stream) ?? this.texts.begin();
        this.deltas.hashes.set(stream, hash.update(event.delta));
      }
    },
    /** All rows were added. */
    end: async (): Promise<void> => {
      for (const [stream, hash] of this.deltas.hashes) this.#streams.set(stream, { whole: this.texts.replacementOf(hash), given: 0 });
      for (const [stream, pieces] of this.deltas.jsons) {
        const text = await this.texts.json(pieces.join(''));
        this.#streams.set(stream, { whole: { slice: (from, to) => text.slice(from, to) }, given: 0 });
      }
      this.deltas.hashes.clear();
      this.deltas.jsons.clear();
    },
  };

  /** Rows in their order, once `deltas` has seen them all. */
  async journalRow({ seq, type, data }: JournalRow): Promise<JournalRow> {
    const event = JSON.parse(data) as { readonly [member: string]: unknown };
    const stream = type.endsWith('.delta') && typeof event['delta'] === 'string' ? this.#streams.get(streamOf(event)) : undefined;
    const redacted = (await this.value(event, 'items')) as { [member: string]: unknown };
    if (stream !== undefined) {
      const from = stream.given;
      stream.given += (event['delta'] as string).length;
      redacted['delta'] = stream.whole.slice(from, stream.given);
    }
    // The row's own type is the event's.
    const shownType = typeName.test(type) ? type : this.texts.text(type);
    return { seq, type: shownType, data: JSON.stringify({ ...redacted, type: shownType }) };
  }

  #string(text: string, mode: Mode, key: string): string | Promise<string> {
    if (text === '') return '';
    if (mode === 'free') return this.texts.text(text);
    if (mode === 'schema') return key === 'type' && vocabulary.has(text) ? text : this.texts.text(text);
    if (jsonTexts.has(key)) return this.texts.json(text);
    if (key === 'message' && vocabulary.has(text)) return text;
    if (said.has(key)) return this.texts.text(text);
    if (ids.has(key)) return this.texts.id(text);
    if (vocabulary.has(text)) return text;
    if (key === 'type' && typeName.test(text)) return text;
    if (
      mode === 'ours' &&
      ((/(?:^|_)(?:at|since|until)$/.test(key) && time.test(text)) || (/(?:^|_)(?:code|detail)$/.test(key) && code.test(text)))
    )
      return text;
    return this.texts.text(text);
  }
}

/** Which text a delta is of: what its event says beside it. */
function streamOf(event: object): string {
  const { type, item_id: id, content_index: content, summary_index: summary } = event as { readonly [member: string]: unknown };
  return JSON.stringify([type, id, content, summary]);
}

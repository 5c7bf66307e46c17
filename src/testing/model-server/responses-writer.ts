/** Writes OpenAI's Responses stream: its events in their order, with sequence numbers and indexes. */
import {
  callEvent,
  type CallType,
  type Fields,
  itemOf,
  type OpenItem,
  partEvent,
  type PartKind,
  partOf,
  responseEnvelope,
  textEvent,
  usageOf,
} from './responses-shapes.ts';
import type { Script, Step } from './script.ts';
import { event } from './steps.ts';

export interface ResponsesWriterOptions {
  readonly id?: string;
  readonly model?: string;
  /** Events as llama.cpp sends them: no `sequence_number`, no indexes, and a `created` response of two fields. */
  readonly isBare?: boolean;
}

export interface TokenCounts {
  readonly input: number;
  readonly output: number;
}

/**
 * Keeps track of the open item and of the numbers, so that a script only names what the model puts out. Output of
 * another kind, `completed` and `incomplete` first close the open item (its `…done` events); for a stream that is cut,
 * leave them out.
 *
 * @example
 *     import { end, ResponsesWriter, sseHead, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     const writer = new ResponsesWriter();
 *     server.enqueue([sseHead, ...writer.begin(), ...writer.text('Hel', 'lo'), ...writer.completed(), end]);
 */
export class ResponsesWriter {
  readonly #isBare: boolean;
  readonly #envelope: Fields;
  readonly #output: Fields[] = [];
  #open: OpenItem | undefined;
  #nextSeq = 0;

  constructor({ id = 'resp_scripted', model = 'scripted', isBare = false }: ResponsesWriterOptions = {}) {
    this.#isBare = isBare;
    this.#envelope = { ...responseEnvelope, id, model };
  }

  created(): Script {
    return [this.#event('response.created', { response: this.#response('in_progress') })];
  }

  /** @param usage tokens so far, as some servers report them here; OpenAI does not. */
  inProgress(usage?: TokenCounts): Script {
    return [this.#event('response.in_progress', { response: this.#response('in_progress', withUsage(usage)) })];
  }

  /** `created` and `inProgress`, which start no step. */
  begin(): Script {
    return [...this.created(), ...this.inProgress()];
  }

  /** Deltas of text, in the open part if that is text. */
  text(...deltas: readonly string[]): Script {
    return this.#writeText('message', 'output_text', deltas);
  }

  /** Deltas of a refusal. */
  refusal(...deltas: readonly string[]): Script {
    return this.#writeText('message', 'refusal', deltas);
  }

  /** Deltas of a reasoning summary. */
  reasoning(...deltas: readonly string[]): Script {
    return this.#writeText('reasoning', 'summary_text', deltas);
  }

  /** A whole reasoning item with encrypted content; with deltas it has a summary too. */
  encryptedReasoning(encryptedContent: string, ...deltas: readonly string[]): Script {
    const start =
      deltas.length > 0 ? [...this.close(), ...this.reasoning(...deltas)] : [...this.close(), this.#openItem('reasoning', 'rs', {})];
    return [...start, ...this.close('completed', { encrypted_content: encryptedContent })];
  }

  /** A function call and pieces of its arguments; for the `callId` of the open call, further pieces. */
  functionCall(callId: string, name: string, ...pieces: readonly string[]): Script {
    return this.#writeCall('function_call', { call_id: callId, name }, pieces);
  }

  /** A call of a freeform tool and pieces of its input; for the `callId` of the open call, further pieces. */
  customToolCall(callId: string, name: string, ...pieces: readonly string[]): Script {
    return this.#writeCall('custom_tool_call', { call_id: callId, name }, pieces);
  }

  /** The `…done` events of the open item. @param more fields that the item has from then on. */
  close(status: 'completed' | 'incomplete' = 'completed', more: Fields = {}): Script {
    const open = this.#open;
    if (open === undefined) return [];
    const steps = isCall(open.type)
      ? [this.#event(`${callEvent[open.type].name}.done`, { ...this.#item(), ...wholeCallOf(open) })]
      : this.#closePart(open);
    const item = { ...itemOf(open, status), ...more };
    steps.push(this.#event('response.output_item.done', { output_index: this.#output.length, item }));
    this.#output.push(item);
    this.#open = undefined;
    return steps;
  }

  /** Closes the open item and ends the response, with its usage. */
  completed(inputTokens = 3, outputTokens = 2): Script {
    const usage = usageOf(inputTokens, outputTokens);
    return [...this.close(), this.#event('response.completed', { response: this.#response('completed', { usage }) })];
  }

  /** As `completed`, with a reason such as `max_output_tokens` or `content_filter`. */
  incomplete(reason = 'max_output_tokens', inputTokens = 3, outputTokens = 2): Script {
    const fields = { incomplete_details: { reason }, usage: usageOf(inputTokens, outputTokens) };
    return [...this.close('incomplete'), this.#event('response.incomplete', { response: this.#response('incomplete', fields) })];
  }

  /** `response.failed`. The open item is not closed. */
  failed(code: string, message: string, usage?: TokenCounts): Script {
    const fields = { error: { code, message }, ...withUsage(usage) };
    return [this.#event('response.failed', { response: this.#response('failed', fields) })];
  }

  /** The `error` event as OpenAI documents it. */
  errorFlat(code: string | null, message: string, param: string | null = null): Script {
    return [this.#event('error', { code, message, param })];
  }

  /** The `error` event as OpenAI's servers have also sent it. */
  errorNested(code: string | null, message: string, type = 'server_error', param: string | null = null): Script {
    return [this.#event('error', { error: { type, code, message, param } })];
  }

  #writeText(type: 'message' | 'reasoning', kind: PartKind, deltas: readonly string[]): Script {
    const steps: Step[] = [];
    if (this.#open?.type !== type) {
      const isMessage = type === 'message';
      steps.push(...this.close(), this.#openItem(type, isMessage ? 'msg' : 'rs', isMessage ? { role: 'assistant' } : {}));
    }
    const open = this.#open;
    if (open === undefined) return steps;
    if (open.partKind !== kind) {
      steps.push(...this.#closePart(open));
      open.partKind = kind;
      steps.push(this.#event(`${partEvent[kind]}.added`, { ...this.#part(), part: partOf(kind, '') }));
    }
    for (const delta of deltas) {
      open.text += delta;
      const logprobs = kind === 'output_text' ? { logprobs: [] } : {};
      steps.push(this.#event(`${textEvent[kind]}.delta`, { ...this.#part(), delta, ...logprobs }));
    }
    return steps;
  }

  #writeCall(type: CallType, fields: Fields, pieces: readonly string[]): Script {
    const steps: Step[] = [];
    if (this.#open?.fields['call_id'] !== fields['call_id']) {
      steps.push(...this.close(), this.#openItem(type, type === 'function_call' ? 'fc' : 'ctc', fields));
    }
    for (const delta of pieces) {
      if (this.#open !== undefined) this.#open.text += delta;
      steps.push(this.#event(`${callEvent[type].name}.delta`, { ...this.#item(), delta }));
    }
    return steps;
  }

  #openItem(type: OpenItem['type'], prefix: string, fields: Fields): Step {
    this.#open = { type, id: `${prefix}_${this.#output.length}`, fields, parts: [], partKind: undefined, text: '' };
    return this.#event('response.output_item.added', { output_index: this.#output.length, item: itemOf(this.#open, 'in_progress') });
  }

  #closePart(open: OpenItem): Step[] {
    const { partKind: kind, text } = open;
    if (kind === undefined) return [];
    const part = partOf(kind, text);
    const whole = kind === 'refusal' ? { refusal: text } : { text };
    const logprobs = kind === 'output_text' ? { logprobs: [] } : {};
    const steps = [
      this.#event(`${textEvent[kind]}.done`, { ...this.#part(), ...whole, ...logprobs }),
      this.#event(`${partEvent[kind]}.done`, { ...this.#part(), part }),
    ];
    open.parts.push(part);
    open.partKind = undefined;
    open.text = '';
    return steps;
  }

  #item(): Fields {
    return { item_id: this.#open?.id, output_index: this.#output.length };
  }

  #part(): Fields {
    const index = this.#open?.parts.length ?? 0;
    return { ...this.#item(), ...(this.#open?.type === 'reasoning' ? { summary_index: index } : { content_index: index }) };
  }

  #event(type: string, fields: Fields): Step {
    if (!this.#isBare) return event({ type, sequence_number: this.#nextSeq++, ...fields }, type);
    const { output_index: _output, content_index: _content, summary_index: _summary, ...rest } = fields;
    return event({ type, ...rest }, type);
  }

  #response(status: string, fields: Fields = {}): Fields {
    if (this.#isBare && status === 'in_progress') return { id: this.#envelope['id'], status, ...fields };
    return { ...this.#envelope, status, output: [...this.#output], ...fields };
  }
}

function isCall(type: OpenItem['type']): type is CallType {
  return type === 'function_call' || type === 'custom_tool_call';
}

function wholeCallOf({ type, fields, text }: OpenItem): Fields {
  return type === 'function_call' ? { name: fields['name'], arguments: text } : { input: text };
}

function withUsage(counts: TokenCounts | undefined): Fields {
  return counts === undefined ? {} : { usage: usageOf(counts.input, counts.output) };
}

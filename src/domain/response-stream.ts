/**
 * The grammar of a response's event stream: turns pieces of the model's answer into OpenAI's events.
 *
 *   created ─ queued ─ in_progress ─┬─ item added ─ (part added ─ delta* ─ part done)* ─ item done ─┬─ end
 *                                   └───────────────────────◀───────────────────────────────────────┘
 *
 * Every event passes through `evolve`, both when it is made and when it is read back from the journal,
 * so a stream can be taken up by another process at any event: `ResponseStream.replay(events)`.
 * The ids of items follow from the id of the response, so nothing here needs chance or a clock.
 */
import type { ModelDelta } from './model.ts';
import { startsStep } from './model.ts';
import type { ItemStatus, OutputItem } from './item.ts';
import { type ResponseObject, unknownUsage } from './response.ts';
import type { ResponseEvent, UnnumberedEvent } from './response-event.ts';
import { endEventOf, incompleteDetails, type TurnEnd } from './turn-end.ts';
import { filled, outputText, type Part, partCount, withPart, withText } from './response-part.ts';

/** An item that is being written; `text` is what its open part (or the call's arguments) has so far. */
interface OpenItem {
  item: OutputItem;
  part: Part | undefined;
  text: string;
  isDone: boolean;
}

export class ResponseStream {
  #response: ResponseObject | undefined;
  #nextSeq = 0;
  readonly #items: OpenItem[] = [];
  /** Which of the provider's items the open item and its part came from. Not in the journal: a taken-up stream is only ever closed. */
  #openKey: string | undefined;
  readonly #callIndexes = new Map<string, number>();
  #events: ResponseEvent[] = [];

  /** Takes up a stream from its journal. */
  static replay(events: readonly ResponseEvent[]): ResponseStream {
    const stream = new ResponseStream();
    for (const event of events) stream.#evolve(event);
    return stream;
  }

  /** The first events of a turn, written with its row: an accepted turn is visible before its first token. */
  static open(response: ResponseObject): readonly ResponseEvent[] {
    const stream = new ResponseStream();
    stream.#emit({ type: 'response.created', response });
    stream.#emit({ type: 'response.queued', response });
    return stream.#taken();
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** The response as it stands after the events so far. */
  get response(): ResponseObject {
    if (this.#response === undefined) throw new Error('a response stream begins with response.created');
    return { ...this.#response, output: this.#output() };
  }

  /** `response.in_progress`, once however many attempts there are. */
  begin(): readonly ResponseEvent[] {
    if (this.response.status === 'queued') {
      this.#emit({ type: 'response.in_progress', response: { ...this.response, status: 'in_progress' } });
    }
    return this.#taken();
  }

  /** The events that show one piece of the answer; none for an empty piece. */
  write(delta: ModelDelta): readonly ResponseEvent[] {
    if (!startsStep(delta)) return [];
    if (delta.type === 'tool_call') this.#writeCall(delta);
    else this.#writeText(delta.type, delta.text, delta.item ?? '');
    return this.#taken();
  }

  /** Closes what is open and ends the stream. Items cut off are marked `incomplete`. */
  end(end: TurnEnd, atMs: number): readonly ResponseEvent[] {
    const isWhole = end.status === 'completed';
    this.#items.forEach((open, index) => {
      if (!open.isDone) this.#closeItem(index, open, isWhole ? 'completed' : 'incomplete');
    });
    const response: ResponseObject = {
      ...this.response,
      status: end.status,
      completed_at: isWhole ? Math.floor(atMs / 1_000) : null,
      incomplete_details: incompleteDetails(end),
      error: end.status === 'failed' ? { code: end.failure.code, message: end.failure.message } : null,
      usage: end.usage ?? unknownUsage,
    };
    this.#emit({ type: endEventOf[end.status], response });
    return this.#taken();
  }

  #writeText(kind: 'text' | 'refusal' | 'reasoning', text: string, key: string): void {
    const itemType = kind === 'reasoning' ? 'reasoning' : 'message';
    const partKey = `${kind} ${key}`;
    let index = this.#items.findIndex((open) => !open.isDone && open.item.type === itemType);
    let open = this.#items[index];
    if (open === undefined || this.#openKey !== partKey) {
      if (open !== undefined) this.#closePart(index, open);
      if (open === undefined) {
        this.#closeOpenItems();
        index = this.#items.length;
        this.#emit({
          type: 'response.output_item.added',
          output_index: index,
          item:
            itemType === 'message'
              ? { id: this.#itemId('msg', index), type: 'message', status: 'in_progress', role: 'assistant', content: [] }
              : { id: this.#itemId('rs', index), type: 'reasoning', status: 'in_progress', summary: [] },
        });
        open = this.#item(index);
      }
      this.#openPart(index, open, kind);
      this.#openKey = partKey;
    }
    const address = { item_id: open.item.id, output_index: index };
    if (kind === 'reasoning') {
      this.#emit({ type: 'response.reasoning_summary_text.delta', ...address, summary_index: partCount(open.item), delta: text });
    } else if (kind === 'refusal') {
      this.#emit({ type: 'response.refusal.delta', ...address, content_index: partCount(open.item), delta: text });
    } else {
      this.#emit({
        type: 'response.output_text.delta',
        ...address,
        content_index: partCount(open.item),
        delta: text,
        logprobs: [],
      });
    }
  }

  #writeCall(delta: ModelDelta & { type: 'tool_call' }): void {
    let index = this.#callIndexes.get(delta.item);
    if (index === undefined) {
      this.#closeOpenItems();
      index = this.#items.length;
      this.#callIndexes.set(delta.item, index);
      this.#emit({
        type: 'response.output_item.added',
        output_index: index,
        item: {
          id: this.#itemId('fc', index),
          type: 'function_call',
          status: 'in_progress',
          call_id: delta.callId,
          name: delta.name,
          arguments: '',
        },
      });
    }
    if (delta.text !== '') {
      this.#emit({
        type: 'response.function_call_arguments.delta',
        item_id: this.#item(index).item.id,
        output_index: index,
        delta: delta.text,
      });
    }
  }

  /** A new item closes the text before it. Calls of one answer may be told in turns, so they stay open to the end. */
  #closeOpenItems(): void {
    this.#items.forEach((open, index) => {
      if (!open.isDone && open.item.type !== 'function_call') this.#closeItem(index, open, 'completed');
    });
  }

  #openPart(index: number, open: OpenItem, kind: 'text' | 'refusal' | 'reasoning'): void {
    const address = { item_id: open.item.id, output_index: index };
    if (kind === 'reasoning') {
      const part = { type: 'summary_text', text: '' } as const;
      this.#emit({ type: 'response.reasoning_summary_part.added', ...address, summary_index: partCount(open.item), part });
    } else {
      const part = kind === 'refusal' ? ({ type: 'refusal', refusal: '' } as const) : outputText('');
      this.#emit({ type: 'response.content_part.added', ...address, content_index: partCount(open.item), part });
    }
  }

  #closePart(index: number, open: OpenItem): void {
    if (open.part === undefined) return;
    const { text } = open;
    const address = { item_id: open.item.id, output_index: index };
    const part = filled(open.part, text);
    if (part.type === 'summary_text') {
      const at = { ...address, summary_index: partCount(open.item) };
      this.#emit({ type: 'response.reasoning_summary_text.done', ...at, text });
      this.#emit({ type: 'response.reasoning_summary_part.done', ...at, part });
    } else {
      const at = { ...address, content_index: partCount(open.item) };
      if (part.type === 'refusal') this.#emit({ type: 'response.refusal.done', ...at, refusal: text });
      else this.#emit({ type: 'response.output_text.done', ...at, text, logprobs: [] });
      this.#emit({ type: 'response.content_part.done', ...at, part });
    }
  }

  #closeItem(index: number, open: OpenItem, status: ItemStatus): void {
    if (open.item.type === 'function_call') {
      this.#emit({
        type: 'response.function_call_arguments.done',
        item_id: open.item.id,
        output_index: index,
        name: open.item.name,
        arguments: open.text,
      });
    } else {
      this.#closePart(index, open);
    }
    this.#emit({ type: 'response.output_item.done', output_index: index, item: { ...withText(open), status } });
  }

  #item(index: number): OpenItem {
    const open = this.#items[index];
    if (open === undefined) throw new Error(`a stream has no item ${index}`);
    return open;
  }

  #itemId(prefix: string, index: number): string {
    return `${prefix}_${this.response.id.replace(/^resp_/, '')}${String(index).padStart(4, '0')}`;
  }

  #output(): OutputItem[] {
    return this.#items.map((open) => (open.isDone ? open.item : withText(open)));
  }

  #emit(body: UnnumberedEvent): void {
    const { type, ...rest } = body;
    // `type` and `sequence_number` come first, so that the bytes of an event read like OpenAI's.
    const event = { type, sequence_number: this.#nextSeq, ...rest } as ResponseEvent;
    this.#evolve(event);
    this.#events.push(event);
  }

  #taken(): readonly ResponseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #evolve(event: ResponseEvent): void {
    if (event.sequence_number !== this.#nextSeq) {
      throw new Error(`event ${event.sequence_number} where ${this.#nextSeq} was due: a stream is dense`);
    }
    this.#nextSeq += 1;
    switch (event.type) {
      case 'response.output_item.added':
        this.#items[event.output_index] = { item: event.item, part: undefined, text: '', isDone: false };
        return;
      case 'response.output_item.done': {
        const open = this.#item(event.output_index);
        open.item = event.item;
        open.part = undefined;
        open.isDone = true;
        return;
      }
      case 'response.content_part.added':
      case 'response.reasoning_summary_part.added': {
        const open = this.#item(event.output_index);
        open.part = event.part;
        open.text = '';
        return;
      }
      case 'response.output_text.delta':
      case 'response.refusal.delta':
      case 'response.reasoning_summary_text.delta':
      case 'response.function_call_arguments.delta':
        this.#item(event.output_index).text += event.delta;
        return;
      case 'response.content_part.done':
      case 'response.reasoning_summary_part.done': {
        const open = this.#item(event.output_index);
        open.item = withPart(open.item, event.part);
        open.part = undefined;
        open.text = '';
        return;
      }
      case 'response.output_text.done':
      case 'response.refusal.done':
      case 'response.reasoning_summary_text.done':
      case 'response.function_call_arguments.done':
        return;
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#response = event.response;
        return;
      default:
        return event satisfies never;
    }
  }
}

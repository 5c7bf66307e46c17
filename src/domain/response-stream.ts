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
import { finalEventOf, incompleteDetails, type TurnOutcome } from './turn-outcome.ts';
import { itemDone, partAdded, partDone, textAdded, type TextKind } from './item-events.ts';
import { type Part, withPart, withText } from './response-part.ts';

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
  /** Encrypted reasoning that no item has yet, as it came. */
  readonly #unplaced: string[] = [];
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

  /** The events that show one piece of the answer; none for an empty piece. What is encrypted begins no answer: it waits for one. */
  write(delta: ModelDelta): readonly ResponseEvent[] {
    if (delta.type === 'encrypted_reasoning') {
      if (delta.text !== '') this.#seal(delta.item, delta.text);
      return this.#taken();
    }
    if (!startsStep(delta)) return [];
    this.#placeEncrypted();
    if (delta.type === 'tool_call') this.#writeCall(delta);
    else this.#writeText(delta.type, delta.text, delta.item ?? '');
    return this.#taken();
  }

  /** Closes what is open and ends the stream. Items cut off are marked `incomplete`. */
  end(end: TurnOutcome, atMs: number): readonly ResponseEvent[] {
    const isWhole = end.status === 'completed';
    if (this.#items.length > 0) this.#placeEncrypted();
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
    this.#emit({ type: finalEventOf[end.status], response });
    return this.#taken();
  }

  #writeText(kind: TextKind, text: string, key: string): void {
    const itemType = kind === 'reasoning' ? 'reasoning' : 'message';
    const partKey = `${kind} ${key}`;
    let index = this.#items.findIndex((open) => !open.isDone && open.item.type === itemType);
    let open = this.#items[index];
    if (open === undefined || this.#openKey !== partKey) {
      if (open !== undefined) this.#emit(...partDone(open, index));
      if (open === undefined) {
        this.#closeOpenItems();
        index = this.#items.length;
        if (itemType === 'reasoning') this.#openReasoning();
        else this.#openItem({ id: this.#itemId('msg', index), type: 'message', status: 'in_progress', role: 'assistant', content: [] });
        open = this.#item(index);
      }
      this.#emit(partAdded(kind, open.item, index));
      this.#openKey = partKey;
    }
    this.#emit(textAdded(kind, open.item, index, text));
  }

  #writeCall(delta: ModelDelta & { type: 'tool_call' }): void {
    let index = this.#callIndexes.get(delta.item);
    if (index === undefined) {
      this.#closeOpenItems();
      index = this.#items.length;
      this.#callIndexes.set(delta.item, index);
      this.#openItem({
        id: this.#itemId('fc', index),
        type: 'function_call',
        status: 'in_progress',
        call_id: delta.callId,
        name: delta.name,
        arguments: '',
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

  #closeItem(index: number, open: OpenItem, status: ItemStatus, encrypted?: string): void {
    this.#emit(...itemDone(open, index, status, encrypted));
  }

  /** Closes the reasoning item that it belongs to, for it comes with that one's end; without one it waits. */
  #seal(key: string, encrypted: string): void {
    const index = this.#items.findIndex((open) => !open.isDone && open.item.type === 'reasoning');
    const open = this.#items[index];
    if (open === undefined || this.#openKey !== `reasoning ${key}`) this.#unplaced.push(encrypted);
    else this.#closeItem(index, open, 'completed', encrypted);
  }

  /** What came encrypted and without a summary gets items of its own, once there is an answer for them to be part of. */
  #placeEncrypted(): void {
    if (this.#unplaced.length === 0) return;
    this.#closeOpenItems();
    for (const encrypted of this.#unplaced.splice(0)) {
      const index = this.#items.length;
      this.#openReasoning();
      this.#closeItem(index, this.#item(index), 'completed', encrypted);
    }
  }

  #openReasoning(): void {
    this.#openItem({ id: this.#itemId('rs', this.#items.length), type: 'reasoning', status: 'in_progress', summary: [] });
  }

  #openItem(item: OutputItem): void {
    this.#emit({ type: 'response.output_item.added', output_index: this.#items.length, item });
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

  #emit(...bodies: readonly UnnumberedEvent[]): void {
    for (const { type, ...rest } of bodies) {
      // `type` and `sequence_number` come first, so that the bytes of an event read like OpenAI's.
      const event = { type, sequence_number: this.#nextSeq, ...rest } as ResponseEvent;
      this.#evolve(event);
      this.#events.push(event);
    }
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

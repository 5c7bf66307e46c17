/**
 * The grammar of a response's event stream: makes OpenAI's events of the deltas of the model's answer.
 *
 *   created ─ queued ─ in_progress ─┬─ item added ─ (part added ─ delta* ─ part done)* ─ item done ─┬─ end
 *                                   └───────────────────────◀───────────────────────────────────────┘
 *
 * Every event passes through `StreamState.evolve`, both when it is made and when it is read back from the journal, so
 * another process can end the stream at any event (`replay`), and go on with it after any step (`resume`).
 * The ids of items follow from the id of the response: there is no randomness here, and no clock.
 */
import { itemDone, type Kept, partAdded, partDone, textAdded, type TextKind } from './item-events.ts';
import type { ItemStatus, OutputItem, ProviderFields } from './item.ts';
import { type ModelDelta, startsStep } from './model.ts';
import type { ResponseEvent, UnnumberedEvent } from './response-event.ts';
import { type ResponseObject, unknownUsage } from './response.ts';
import { type OpenItem, type StreamSnapshot, StreamState } from './stream-state.ts';
import { finalEventOf, incompleteDetails, type TurnOutcome } from './turn-outcome.ts';

export class ResponseStream {
  readonly #state: StreamState;
  /** Which of the provider's items the open item and its part came from. Of one step, and not in the journal. */
  #openKey: string | undefined;
  /** By the provider's name of a call. Of one step, and not in the journal. */
  readonly #callIndexes = new Map<string, number>();
  /** What a reasoning item is to keep for the provider and that has no item yet, as it came. */
  readonly #unplaced: Kept[] = [];
  /** By the index of an open item: the fields that came after its beginning. Its end carries them. */
  readonly #fields = new Map<number, ProviderFields>();
  #events: ResponseEvent[] = [];

  private constructor(state: StreamState) {
    this.#state = state;
  }

  /** Takes up a stream from its journal. In the middle of a step it can only be ended: what tells items apart is not in the journal. */
  static replay(events: readonly ResponseEvent[]): ResponseStream {
    const state = new StreamState();
    for (const event of events) state.evolve(event);
    return new ResponseStream(state);
  }

  /** Takes in the events that its journal has got since. */
  readOn(events: readonly ResponseEvent[]): void {
    for (const event of events) this.#state.evolve(event);
  }

  /** Takes up a stream where a step has ended, without reading its journal. */
  static resume(snapshot: StreamSnapshot): ResponseStream {
    return new ResponseStream(StreamState.from(snapshot));
  }

  /** The first events of a turn, written with its row: an accepted turn is visible before its first token. */
  static open(response: ResponseObject): readonly ResponseEvent[] {
    const stream = new ResponseStream(new StreamState());
    stream.#emit({ type: 'response.created', response });
    stream.#emit({ type: 'response.queued', response });
    return stream.#takeEvents();
  }

  /** The response as it stands after the events so far. */
  get response(): ResponseObject {
    return this.#state.response;
  }

  /** `response.in_progress`, once however many attempts there are. */
  begin(): readonly ResponseEvent[] {
    if (this.response.status === 'queued') {
      this.#emit({ type: 'response.in_progress', response: { ...this.response, status: 'in_progress' } });
    }
    return this.#takeEvents();
  }

  /** The events that show one delta; none for an empty one. Encrypted reasoning starts nothing: it waits for an item to belong to. */
  write(delta: ModelDelta): readonly ResponseEvent[] {
    if (delta.type === 'encrypted_reasoning') {
      if (delta.text !== '') this.#attachEncrypted(delta.item, delta.text);
      return this.#takeEvents();
    }
    if (!startsStep(delta)) {
      if (delta.type === 'reasoning' && delta.providerFields !== undefined) this.#keepFields(delta.item ?? '', delta.providerFields);
      return this.#takeEvents();
    }
    this.#placeKept();
    if (delta.type === 'tool_call') this.#writeCall(delta);
    else if (delta.type === 'reasoning') this.#writeText(delta.type, delta.text, delta.item ?? '', delta.providerFields);
    else this.#writeText(delta.type, delta.text, delta.item ?? '');
    return this.#takeEvents();
  }

  /** Ends a step that another one follows: its items are closed as whole, and the next step's deltas begin new ones. */
  endStep(): readonly ResponseEvent[] {
    this.#closeAll('completed');
    this.#openKey = undefined;
    this.#callIndexes.clear();
    this.#unplaced.length = 0;
    return this.#takeEvents();
  }

  /** The stream between two steps, as JSON. Throws while an item is open. */
  snapshot(): StreamSnapshot {
    return this.#state.snapshot();
  }

  /** Closes what is open and ends the stream. Items cut off are marked `incomplete`. */
  end(outcome: TurnOutcome, atMs: number): readonly ResponseEvent[] {
    const isWhole = outcome.status === 'completed';
    this.#closeAll(isWhole ? 'completed' : 'incomplete');
    const response: ResponseObject = {
      ...this.response,
      status: outcome.status,
      completed_at: isWhole ? Math.floor(atMs / 1_000) : null,
      incomplete_details: incompleteDetails(outcome),
      error: outcome.status === 'failed' ? { code: outcome.failure.code, message: outcome.failure.message } : null,
      usage: outcome.usage ?? unknownUsage,
      ...(outcome.serviceTier === undefined ? {} : { service_tier: outcome.serviceTier }),
    };
    this.#emit({ type: finalEventOf[outcome.status], response });
    return this.#takeEvents();
  }

  #closeAll(status: ItemStatus): void {
    if (this.#state.items.length > 0) this.#placeKept();
    this.#state.items.forEach((open, index) => {
      if (!open.isDone) this.#closeItem(index, open, status);
    });
  }

  #writeText(kind: TextKind, text: string, key: string, fields?: ProviderFields): void {
    const itemType = kind === 'reasoning' ? 'reasoning' : 'message';
    const partKey = `${kind} ${key}`;
    let index = this.#state.items.findIndex((open) => !open.isDone && open.item.type === itemType);
    let open = this.#state.items[index];
    if (open === undefined || this.#openKey !== partKey) {
      if (open !== undefined) this.#emit(...partDone(open, index));
      if (open === undefined) {
        this.#closeOpenItems();
        index = this.#state.items.length;
        if (itemType === 'reasoning') this.#openReasoning(fields);
        else this.#openItem({ id: this.#itemId('msg', index), type: 'message', status: 'in_progress', role: 'assistant', content: [] });
        open = this.#state.item(index);
      }
      this.#emit(partAdded(kind, open.item, index));
      this.#openKey = partKey;
    }
    if (fields !== undefined) this.#addFields(index, fields);
    this.#emit(textAdded(kind, open.item, index, text));
  }

  #writeCall(delta: ModelDelta & { type: 'tool_call' }): void {
    let index = this.#callIndexes.get(delta.item);
    if (index === undefined) {
      this.#closeOpenItems();
      index = this.#state.items.length;
      this.#callIndexes.set(delta.item, index);
      this.#openItem({
        id: this.#itemId('fc', index),
        type: 'function_call',
        status: 'in_progress',
        call_id: delta.callId,
        name: delta.name,
        arguments: '',
        ...(delta.providerFields === undefined ? {} : { provider_fields: delta.providerFields }),
      });
    } else if (delta.providerFields !== undefined) {
      this.#addFields(index, delta.providerFields);
    }
    if (delta.text !== '') {
      this.#emit({
        type: 'response.function_call_arguments.delta',
        item_id: this.#state.item(index).item.id,
        output_index: index,
        delta: delta.text,
      });
    }
  }

  /** A new item closes the text before it. Pieces of several calls may come in turns, so calls stay open to the end of the step. */
  #closeOpenItems(): void {
    this.#state.items.forEach((open, index) => {
      if (!open.isDone && open.item.type !== 'function_call') this.#closeItem(index, open, 'completed');
    });
  }

  #closeItem(index: number, open: OpenItem, status: ItemStatus, encrypted?: string): void {
    const fields = this.#fields.get(index);
    this.#fields.delete(index);
    this.#emit(...itemDone(open, index, status, { encrypted, fields }));
  }

  /** Encrypted reasoning comes with the end of its reasoning item, which it closes; without such an item it waits. */
  #attachEncrypted(key: string, encrypted: string): void {
    const { index, open } = this.#openReasoningOf(key);
    if (open === undefined) this.#unplaced.push({ encrypted });
    else this.#closeItem(index, open, 'completed', encrypted);
  }

  /** Fields without a text belong to the reasoning before them; where it has ended, or there was none, they wait. */
  #keepFields(key: string, fields: ProviderFields): void {
    const { index, open } = this.#openReasoningOf(key);
    if (open === undefined) this.#unplaced.push({ fields });
    else this.#addFields(index, fields);
  }

  #openReasoningOf(key: string): { readonly index: number; readonly open: OpenItem | undefined } {
    const index = this.#state.items.findIndex((open) => !open.isDone && open.item.type === 'reasoning');
    return { index, open: this.#openKey === `reasoning ${key}` ? this.#state.items[index] : undefined };
  }

  #addFields(index: number, fields: ProviderFields): void {
    const { item } = this.#state.item(index);
    // Those that the item was begun with are on it.
    if (item.type !== 'message' && item.provider_fields === fields) return;
    this.#fields.set(index, { ...this.#fields.get(index), ...fields });
  }

  /** What is kept for the provider without a summary gets items of its own, once there is an answer for them to be part of. */
  #placeKept(): void {
    if (this.#unplaced.length === 0) return;
    this.#closeOpenItems();
    for (const { encrypted, fields } of this.#unplaced.splice(0)) {
      const index = this.#state.items.length;
      this.#openReasoning(fields);
      this.#closeItem(index, this.#state.item(index), 'completed', encrypted);
    }
  }

  #openReasoning(fields?: ProviderFields): void {
    this.#openItem({
      id: this.#itemId('rs', this.#state.items.length),
      type: 'reasoning',
      status: 'in_progress',
      summary: [],
      ...(fields === undefined ? {} : { provider_fields: fields }),
    });
  }

  #openItem(item: OutputItem): void {
    this.#emit({ type: 'response.output_item.added', output_index: this.#state.items.length, item });
  }

  #itemId(prefix: string, index: number): string {
    return `${prefix}_${this.response.id.replace(/^resp_/, '')}${String(index).padStart(4, '0')}`;
  }

  #emit(...bodies: readonly UnnumberedEvent[]): void {
    for (const { type, ...rest } of bodies) {
      // `type` and `sequence_number` come first, so that the bytes of an event read like OpenAI's.
      const event = { type, sequence_number: this.#state.nextSeq, ...rest } as ResponseEvent;
      this.#state.evolve(event);
      this.#events.push(event);
    }
  }

  #takeEvents(): readonly ResponseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

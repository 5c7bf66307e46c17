/**
 * The grammar of a response's event stream: makes OpenAI's events of the deltas of the model's answer.
 *
 *   created ─ queued ─ in_progress ─┬─ item added ─ (part added ─ delta* ─ part done)* ─ item done ─┬─ end
 *                                   └───────────────────────◀───────────────────────────────────────┘
 *
 * Every event passes through `StreamState.evolve`, both when it is made and when it is read back from the journal, so
 * another process can end the stream at any event, and go on with it after any step (`replay`).
 * The ids of items follow from that of the response: no randomness, no clock.
 */
import { EventQueue } from './event-queue.ts';
import { HiddenTexts } from './hidden-reasoning.ts';
import { annotationAdded, callAdded, itemDone, partAdded, partDone, textAdded } from './item-events.ts';
import {
  isOpaque,
  isProse,
  isWorkers,
  type ItemStatus,
  type Json,
  type JsonObject,
  type OutputItem,
  type ProviderFields,
} from '../item.ts';
import { isOfOther, type Kept, LateMembers } from './late-members.ts';
import { type ModelDelta, startsStep, type TextDelta } from '../model.ts';
import { newCall, newMessage, newReasoning } from './new-items.ts';
import { begunOpaque, opaqueEvent } from './opaque-events.ts';
import type { Reread } from './reread.ts';
import { numbered, type ResponseEvent, type UnnumberedEvent } from './response-event.ts';
import { withText } from './response-part.ts';
import type { ResponseObject } from './response.ts';
import { sealOfCalls } from '../prompt/sealed-fields.ts';
import { type OpenItem, StreamState } from './stream-state.ts';
import { isTornBefore } from './torn-answer.ts';
import { endedResponse, finalEventOf, type TurnOutcome } from '../turn/turn-outcome.ts';
import { callEnded } from './worker-call-events.ts';

export class ResponseStream {
  readonly #state: StreamState;
  readonly #out: EventQueue;
  /** Which of the provider's items the open item and its part came from. Of one step, not in the journal. */
  #openKey: string | undefined;
  /** By the provider's name of a call, or of an opaque item. Of one step, too. */
  readonly #callIndexes = new Map<string, number>();
  /** Of encrypted reasoning: what is no part of the response. */
  readonly hidden = new HiddenTexts();
  readonly #late = new LateMembers(this.hidden);
  /** Of the items: where the step that runs begins. */
  #stepFrom: number;
  /** Whether encrypted reasoning was asked for: then it is also the form of what a chat provider wants to see again. */
  sealsFields = false;

  private constructor(state: StreamState) {
    this.#state = state;
    this.#out = new EventQueue(state);
    this.#stepFrom = state.items.length;
  }

  /** Takes up a stream from its journal. Within a step it can only be ended, or its answer `reread`. */
  static replay(events: readonly ResponseEvent[], reread?: Reread): ResponseStream {
    const stream = new ResponseStream(new StreamState());
    stream.readOn(events);
    stream.#out.reread = reread;
    stream.#stepFrom = stream.#state.items.length;
    return stream;
  }

  /** Takes in what its journal got since. */
  readOn(events: readonly ResponseEvent[]): void {
    for (const event of events) this.#state.evolve(event);
  }

  /** The first events of a turn, written with its row. */
  static open(response: ResponseObject): readonly ResponseEvent[] {
    return [numbered({ type: 'response.created', response }, 0), numbered({ type: 'response.queued', response }, 1)];
  }

  /** As it stands after the events so far. */
  get response(): ResponseObject {
    return { ...this.#state.response, output: this.output };
  }

  /** Of the response. */
  get output(): readonly OutputItem[] {
    return this.#late.amended(this.#state.output);
  }

  /** `response.in_progress`, once for all attempts. */
  begin(): readonly ResponseEvent[] {
    if (this.#state.response.status === 'queued') {
      this.#out.emit({ type: 'response.in_progress', response: { ...this.response, status: 'in_progress' } });
    }
    return this.#out.take();
  }

  /** The events that show one delta; none for an empty one. Encrypted reasoning starts nothing: it waits for an item to belong to. */
  write(delta: ModelDelta): readonly ResponseEvent[] {
    if (delta.type === 'encrypted_reasoning') {
      if (delta.text !== '') this.#keep(delta.item, { encrypted: delta.text });
      // Its encrypted form may come with the whole response: its place is here.
      else if (this.sealsFields || this.hidden.isHiding) this.#late.keep(delta.item, {}, this.#state.items);
      return this.#out.take();
    }
    if (delta.type === 'message') this.#late.tell(delta.item, delta.members, this.#state.items);
    else if (delta.type === 'annotation') {
      this.#writeAnnotation(delta.item ?? '', delta.annotation);
    } else if (startsStep(delta)) {
      this.#placeKept();
      if (delta.type === 'tool_call') this.#writeCall(delta);
      else if (delta.type === 'opaque') this.#writeOpaque(delta.item, delta.event);
      else this.#writeText(delta);
    } else if (delta.type === 'reasoning' && delta.providerFields !== undefined) {
      this.#keep(delta.item ?? '', { fields: delta.providerFields });
    }
    return this.#out.take();
  }

  /** See `isTornBefore`. */
  isTornBefore(next?: ModelDelta): boolean {
    return isTornBefore(this.#state.items, next);
  }

  /** Shows what stands alone: see `worker-call-events.ts`. */
  show(make: (output: ResponseObject) => readonly UnnumberedEvent[]): readonly ResponseEvent[] {
    this.#closeOpenItems();
    this.#out.emit(...make(this.response));
    return this.#out.take();
  }

  /** Ends a step that another one follows: its items are closed as whole, and the next step's begin anew. */
  endStep(): readonly ResponseEvent[] {
    this.#closeAll('completed', isWorkers);
    this.#openKey = undefined;
    this.#callIndexes.clear();
    for (const encrypted of this.#late.endStep()) this.#placeReasoning({ encrypted });
    this.#stepFrom = this.#state.items.length;
    return this.#out.take();
  }

  get nextSeq(): number {
    return this.#state.nextSeq;
  }

  /** Closes what is open and ends the stream. Items cut off are marked `incomplete`. */
  end(outcome: TurnOutcome, atMs: number): readonly ResponseEvent[] {
    this.#closeAll(outcome.status === 'completed' ? 'completed' : 'incomplete');
    const response = endedResponse(this.response, outcome, atMs);
    this.#out.emit({ type: finalEventOf[outcome.status], response });
    return this.#out.take();
  }

  #closeAll(status: ItemStatus, staysOpen?: typeof isWorkers): void {
    this.#state.items.forEach((open, index) => {
      if (!open.isDone && staysOpen?.(open.item) !== true) this.#closeItem(index, open, status);
    });
    // The calls of the step come behind it.
    if (staysOpen !== undefined || this.#state.items.length > 0) this.#placeKept();
    const encrypted = this.sealsFields && status === 'completed' ? sealOfCalls(this.#state.items.slice(this.#stepFrom)) : undefined;
    if (encrypted !== undefined) this.#placeReasoning({ encrypted });
  }

  #writeText(delta: TextDelta): void {
    const { type: kind, text, item: key = '' } = delta;
    const fields = 'providerFields' in delta ? delta.providerFields : undefined;
    const logprobs = 'logprobs' in delta ? delta.logprobs : undefined;
    const itemType = kind === 'reasoning' ? 'reasoning' : 'message';
    const partKey = `${kind} ${key}`;
    if (this.#late.announced(key) !== undefined || isOfOther(this.#openKey ?? partKey, partKey)) this.#closeOpenItems();
    let index = this.#state.openIndex(itemType);
    let open = this.#state.items[index];
    if (open === undefined || this.#openKey !== partKey) {
      if (open !== undefined) this.#out.emit(...partDone(open, index));
      if (open === undefined) {
        this.#closeOpenItems();
        index = this.#state.items.length;
        if (itemType === 'reasoning') this.#openReasoning(fields);
        else this.#openItem(newMessage(this.#state.response.id, index, this.#late.announced(key) ?? {}));
        open = this.#state.item(index);
      }
      this.#out.emit(partAdded(kind, open.item, index));
      this.#openKey = partKey;
      this.#late.place(itemType, key, index);
    }
    this.#late.addFields(index, open.item, fields);
    this.#out.emit(textAdded(kind, open.item, index, text, logprobs));
  }

  /** Of the open part alone. */
  #writeAnnotation(key: string, annotation: Json): void {
    const index = this.#state.openIndex('message');
    const open = this.#state.items[index];
    if (open?.part?.type === 'output_text' && this.#openKey === `text ${key}`) this.#out.emit(annotationAdded(open, index, annotation));
  }

  #writeOpaque(key: string, event: JsonObject): void {
    let index = this.#callIndexes.get(key);
    if (index === undefined) {
      index = this.#state.items.length;
      const begun = begunOpaque(event, this.#state.response.id, this.#state.items);
      if (begun === undefined) return;
      this.#closeOpenItems();
      this.#callIndexes.set(key, index);
      this.#openItem(begun);
      if (event['type'] === 'response.output_item.added') return;
    }
    const { item, isDone } = this.#state.item(index);
    if (!isDone && isOpaque(item)) this.#out.emit(opaqueEvent(event, item, index));
  }

  #writeCall(delta: ModelDelta & { type: 'tool_call' }): void {
    let index = this.#callIndexes.get(delta.item);
    if (index === undefined) {
      this.#closeOpenItems();
      index = this.#state.items.length;
      this.#callIndexes.set(delta.item, index);
      this.#openItem(newCall(this.#state.response.id, index, delta));
    } else {
      this.#late.addFields(index, this.#state.item(index).item, delta.providerFields);
      this.#late.addMembers(index, delta.members);
    }
    if (delta.text !== '') this.#out.emit(callAdded(this.#state.item(index).item, index, delta.text));
  }

  /** A new item closes the text before it. Calls stay open to the end of the step: their pieces may come in turns. */
  #closeOpenItems(): void {
    this.#state.items.forEach((open, index) => {
      if (!open.isDone && isProse(open.item)) this.#closeItem(index, open, 'completed');
    });
  }

  #closeItem(index: number, open: OpenItem, status: ItemStatus, encrypted?: string): void {
    this.#out.emit(...callEnded(withText(open), index, { status: 'incomplete' }));
    if (open.isDone) return;
    const shown = this.hidden.shownOf(open.item, encrypted);
    this.#out.emit(...itemDone(open, index, status, { encrypted: shown, ...this.#late.take(index) }, this.sealsFields));
  }

  /**
   * Encrypted reasoning comes with the end of its item, which it closes, or behind it; fields without a text are of the reasoning
   * before them. Without such an item they wait.
   */
  #keep(key: string, kept: Kept): void {
    const index = this.#state.openIndex('reasoning');
    const open = this.#openKey === `reasoning ${key}` ? this.#state.items[index] : undefined;
    if (open === undefined) this.#late.keep(key, kept, this.#state.items);
    else if (kept.fields !== undefined) this.#late.addFields(index, open.item, kept.fields);
    else this.#closeItem(index, open, 'completed', kept.encrypted);
  }

  /** What is kept without a summary gets items of its own, once there is an answer for them to be part of. */
  #placeKept(): void {
    const all = this.#late.takeKept();
    if (all.length > 0) this.#closeOpenItems();
    for (const kept of all) {
      this.#late.place('reasoning', kept.key, this.#state.items.length);
      this.#placeReasoning(kept);
    }
  }

  #placeReasoning({ encrypted, fields }: Kept): void {
    const index = this.#state.items.length;
    this.#openReasoning(fields);
    this.#closeItem(index, this.#state.item(index), 'completed', encrypted);
  }

  #openReasoning(fields?: ProviderFields): void {
    this.#openItem(newReasoning(this.#state.response.id, this.#state.items.length, fields));
  }

  #openItem(item: OutputItem): void {
    this.#out.emit({ type: 'response.output_item.added', output_index: this.#state.items.length, item });
  }
}

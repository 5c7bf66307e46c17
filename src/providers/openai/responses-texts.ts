/** Reads the messages and the reasoning of a Responses stream: their deltas, and what done events tell beyond them. */
import type { Json, JsonObject } from '../../domain/item.ts';
import type { ModelEvent } from '../../domain/model.ts';
import { protocolError } from '../failures/model-failure.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { pairsOf } from './item-pairs.ts';
import { isTwin, partsOf, placeOf, textIn, textKinds } from './message-parts.ts';
import { isRestOf, partAt, partOf, restOf, type SaidItem, saidOf, type SaidPart, SaidTexts, type TextKind } from './said-texts.ts';
import type { WholeMessages } from './whole-messages.ts';

const textDeltas: { readonly [type: string]: TextKind } = {
  'response.output_text.delta': 'text',
  'response.refusal.delta': 'refusal',
  'response.reasoning_text.delta': 'reasoning',
  'response.reasoning.delta': 'reasoning',
  'response.reasoning_summary_text.delta': 'reasoning',
};

const textDones: { readonly [type: string]: TextKind } = {
  'response.output_text.done': 'text',
  'response.refusal.done': 'refusal',
  'response.reasoning_text.done': 'reasoning',
  'response.reasoning.done': 'reasoning',
  'response.reasoning_summary_text.done': 'reasoning',
};

/** Of a message, what turnkeep shows by itself. */
const ownOfMessage = new Set(['id', 'type', 'status', 'role', 'content', 'created_by']);

export class ResponsesTexts {
  readonly #shown: WholeMessages;
  readonly #messages = new SaidTexts('message');
  readonly #thoughts = new SaidTexts('reasoning');
  /** By message: what it has beside its texts. */
  readonly #members = new Map<string, JsonObject>();
  /** Of the thoughts, those whose encrypted form has come. */
  readonly #sealed = new Set<SaidItem>();
  /** The thoughts of which nothing has come yet. */
  #bare: SaidItem[] = [];

  constructor(shown: WholeMessages) {
    this.#shown = shown;
  }

  /** Reads an event that tells a text, or all of one. @returns whether it is such an event */
  read(type: string, body: JsonRecord, out: ModelEvent[]): boolean {
    const deltaKind = Object.hasOwn(textDeltas, type) ? textDeltas[type] : undefined;
    const kind = deltaKind ?? (Object.hasOwn(textDones, type) ? textDones[type] : undefined);
    if (kind === undefined) return false;
    const text = asText(body[deltaKind === undefined ? (kind === 'refusal' ? 'refusal' : 'text') : 'delta']) ?? '';
    if (text === '') return true;
    const part = this.partOf(kind, body, out);
    if (deltaKind === undefined) this.#readWhole(kind, part, text, out);
    else this.#readDelta(kind, part, text, out, body['logprobs']);
    return true;
  }

  /** The part that an event is about. */
  partOf(kind: TextKind, body: JsonRecord, out: ModelEvent[]): SaidPart {
    const { item_id: id, output_index: index } = body;
    const items = kind === 'reasoning' ? this.#thoughts : this.#messages;
    const known = items.find(id, index) ?? (items.isApart(index) ? undefined : items.items.at(-1));
    const begin = (): SaidItem => (kind === 'reasoning' ? this.beginThought({ id }, index) : this.beginMessage({ id }, index, out));
    return partOf(known ?? begin(), kind, body);
  }

  get hasThoughts(): boolean {
    return this.#thoughts.items.length > 0;
  }

  beginThought(item: JsonRecord, index: unknown): SaidItem {
    const thought = this.#thoughts.begin(item['id'], index);
    this.#bare.push(thought);
    return thought;
  }

  /** To be called before something else is shown: a thought of which nothing has come has its place before it. */
  placeThoughts(out: ModelEvent[]): void {
    if (this.#bare.length === 0) return;
    for (const thought of this.#bare.splice(0)) {
      if (this.#sealed.has(thought) || saidOf(thought, 'reasoning') !== '') continue;
      this.#shown.put(thought.key, { type: 'encrypted_reasoning', item: thought.key, text: '' }, out);
    }
  }

  endMessage(item: JsonRecord, index: unknown, out: ModelEvent[]): void {
    const known = this.#messages.find(item['id'], index) ?? this.#messages.items.findLast((each) => isTwin(each, item, index));
    const message = known ?? this.beginMessage(item, index, out);
    this.#endMessage(message, item, out);
  }

  #endMessage(message: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    this.#readMessage(message, item, out);
    // Told with its end alone.
    if (message.parts.size > 0) this.#keepMembers(message, item, out);
    message.isDone = true;
    this.#shown.end(message.key, out);
  }

  endThought(item: JsonRecord, index: unknown, out: ModelEvent[]): void {
    const thought = this.#thoughts.find(item['id'], index) ?? this.beginThought(item, index);
    this.#readThought(thought, item, out);
    thought.isDone = true;
  }

  /** What only the whole response tells of the messages, each in its place: that of one which others were shown behind is past. */
  readMissing(items: readonly JsonRecord[], out: ModelEvent[]): void {
    const pairs = pairsOf('message', items, this.#messages.items, (message, item) =>
      textKinds.every((kind) => isRestOf(saidOf(message, kind), textIn(item, kind))),
    );
    if (pairs === undefined) {
      this.#readRest(items, out);
      return;
    }
    const placeOfLast = (): number => (this.#shown.last === undefined ? -1 : pairs.findIndex(({ said }) => said?.key === this.#shown.last));
    for (const [at, { said, item }] of pairs.entries()) {
      const isMissing = textKinds.some((kind) => restOf(said === undefined ? '' : saidOf(said, kind), textIn(item, kind)) !== '');
      if (isMissing && placeOfLast() > at) throw protocolError('done_contradicts_deltas');
      if (isMissing || said !== undefined) this.#endMessage(said ?? this.beginMessage(item, undefined, out), item, out);
    }
  }

  /** What only the whole response tells of the reasoning that was announced: what is encrypted of it; its text while `isFirst`, as nothing is shown yet. */
  readThoughts(items: readonly JsonRecord[], isFirst: boolean, out: ModelEvent[]): void {
    for (const { said, item } of pairsOf('reasoning', items, this.#thoughts.items) ?? []) {
      if (said === undefined) continue;
      if (isFirst) this.#readThought(said, item, out);
      else this.#readEncrypted(said, item, out);
    }
  }

  /** Where the response has other messages than the stream: what it says behind all that was said. */
  #readRest(items: readonly JsonRecord[], out: ModelEvent[]): void {
    const messages = items.filter((item) => item['type'] === 'message');
    const said = this.#messages.items.map((item) => saidOf(item, 'text') + saidOf(item, 'refusal')).join('');
    const whole = messages
      .map((item) =>
        partsOf(item)
          .map(({ text }) => text)
          .join(''),
      )
      .join('');
    const rest = restOf(said, whole);
    let missing = rest.length;
    if (missing === 0) return;
    // The rest stands at the end: as much of each text as is missing, from the last one on.
    const pieces: {
      readonly item: JsonRecord;
      readonly at: number;
      readonly kind: TextKind;
      readonly text: string;
      readonly isWhole: boolean;
    }[] = [];
    for (const item of messages.toReversed()) {
      for (const [at, { kind, text }] of [...partsOf(item).entries()].toReversed()) {
        const length = Math.min(missing, text.length);
        if (length > 0) pieces.unshift({ item, at, kind, text: text.slice(text.length - length), isWhole: length === text.length });
        missing -= length;
      }
    }
    const begun = new Map<JsonRecord, SaidItem>();
    for (const { item, at, kind, text, isWhole } of pieces) {
      const known = begun.get(item) ?? (isWhole && at === 0 ? undefined : this.#messages.items.at(-1));
      const message = known ?? this.beginMessage(item, undefined, out);
      begun.set(item, message);
      this.#readDelta(kind, partAt(message, kind, `c${at}`), text, out);
    }
  }

  /** One that is not the first, or has more than turnkeep's own members, such as a `phase`, is announced. */
  beginMessage(item: JsonRecord, index: unknown, out: ModelEvent[]): SaidItem {
    const before = this.#messages.items.length;
    const message = this.#messages.begin(item['id'], index);
    this.#keepMembers(message, item, out, before > 0 && this.#messages.items.length > before);
    return message;
  }

  #keepMembers(message: SaidItem, item: JsonRecord, out: ModelEvent[], isNew = false): void {
    const given = Object.entries(item).filter(([key, value]) => !ownOfMessage.has(key) && value !== null);
    const known = this.#members.get(message.key) ?? {};
    const members = { ...known, ...Object.fromEntries(given) } as JsonObject;
    if (JSON.stringify(members) === JSON.stringify(known) && !isNew) return;
    this.#members.set(message.key, members);
    this.#shown.put(message.key, { type: 'message', text: '', item: message.key, members }, out);
  }

  #readMessage(message: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const whole = partsOf(item);
    for (const kind of textKinds) {
      const texts = whole.filter((part) => part.kind === kind);
      const said = saidOf(message, kind);
      let rest = restOf(said, texts.map(({ text }) => text).join(''));
      let before = 0;
      for (const [at, { kind: of, text }] of whole.entries()) {
        if (of !== kind || rest === '') continue;
        before += text.length;
        if (before <= said.length) continue;
        const piece = rest.slice(0, Math.min(text.length, before - said.length));
        rest = rest.slice(piece.length);
        this.#readDelta(kind, partAt(message, kind, placeOf(message, kind, at)), piece, out);
      }
    }
    for (const [at, { kind, annotations }] of whole.entries()) {
      if (kind !== 'text') continue;
      const part = partAt(message, kind, placeOf(message, kind, at));
      for (const annotation of annotations.slice(part.annotations)) this.readAnnotation(part, annotation, out);
    }
  }

  #readWhole(kind: TextKind, part: SaidPart, text: string, out: ModelEvent[]): void {
    // Reasoning is not the answer: where it is told in two ways, the first stands.
    if (kind === 'reasoning' && !text.startsWith(part.said)) return;
    this.#readDelta(kind, part, restOf(part.said, text), out);
  }

  #readDelta(kind: TextKind, part: SaidPart, text: string, out: ModelEvent[], logprobs?: unknown): void {
    if (text === '') return;
    part.said += text;
    const more = kind === 'text' && Array.isArray(logprobs) && logprobs.length > 0 ? { logprobs: logprobs as readonly Json[] } : {};
    if (kind !== 'reasoning') this.placeThoughts(out);
    this.#shown.put(part.of, { type: kind, text, item: part.key, ...more }, out);
  }

  readAnnotation(part: SaidPart, annotation: unknown, out: ModelEvent[]): void {
    if (asRecord(annotation) === undefined) return;
    part.annotations += 1;
    this.#shown.put(part.of, { type: 'annotation', text: '', item: part.key, annotation: annotation as Json }, out);
  }

  #readThought(thought: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const texts = ['summary', 'content'].map((list) => asArray(item[list]).map((each) => asText(asRecord(each)?.['text']) ?? ''));
    const [place, whole = []] = (texts[0] ?? []).some((text) => text !== '') ? ['s', texts[0]] : ['c', texts[1]];
    if (saidOf(thought, 'reasoning') === '') {
      for (const [at, text] of whole.entries()) this.#readDelta('reasoning', partAt(thought, 'reasoning', `${place}${at}`), text, out);
    }
    this.#readEncrypted(thought, item, out);
  }

  #readEncrypted(thought: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const encrypted = asText(item['encrypted_content']);
    if (encrypted === undefined || this.#sealed.has(thought)) return;
    this.#sealed.add(thought);
    const last = [...thought.parts.values()].findLast(({ said }) => said !== '');
    this.#shown.put(thought.key, { type: 'encrypted_reasoning', item: last?.key ?? thought.key, text: encrypted }, out);
  }
}

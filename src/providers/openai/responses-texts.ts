/** Reads the messages and the reasoning of a Responses stream: their deltas, and what done events tell beyond them. */
import type { Json, JsonObject } from '../../domain/item.ts';
import type { ModelDelta, ModelEvent } from '../../domain/model.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { partAt, partOf, restOf, type SaidItem, saidOf, type SaidPart, SaidTexts, type TextKind } from './said-texts.ts';

/** Where deltas go: what is shown, and what is kept until something is. */
export interface TextSink {
  show(delta: ModelDelta, out: ModelEvent[]): void;
  keep(delta: ModelDelta, out: ModelEvent[]): void;
}

/** Of a message, what turnkeep shows by itself. */
const ownOfMessage = new Set(['id', 'type', 'status', 'role', 'content', 'created_by']);

export class ResponsesTexts {
  readonly #sink: TextSink;
  readonly #messages = new SaidTexts('message');
  readonly #thoughts = new SaidTexts('reasoning');
  /** By message: what it has beside its texts, as JSON. */
  readonly #members = new Map<string, string>();
  #encryptedCount = 0;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  /** The part that an event is about. */
  partOf(kind: TextKind, body: JsonRecord): SaidPart {
    const texts = kind === 'reasoning' ? this.#thoughts : this.#messages;
    return partOf(texts.addressed(body['item_id'], body['output_index']), kind, body);
  }

  get hasThoughts(): boolean {
    return this.#thoughts.items.length > 0;
  }

  beginThought(item: JsonRecord, index: unknown): SaidItem {
    return this.#thoughts.begin(item['id'], index);
  }

  endMessage(item: JsonRecord, index: unknown, out: ModelEvent[]): void {
    const message = this.#messages.find(item['id'], index) ?? this.beginMessage(item, index, out);
    this.#readMessage(message, item, out);
    // Told with its end alone: they go onto the item, which is open as long as nothing else comes.
    if (message.parts.size > 0) this.#keepMembers(message, item, out);
    message.isDone = true;
  }

  endThought(item: JsonRecord, index: unknown, out: ModelEvent[]): void {
    const thought = this.#thoughts.find(item['id'], index) ?? this.beginThought(item, index);
    this.#readThought(thought, item, out);
    thought.isDone = true;
  }

  /** What only the whole response holds. */
  readMissing(items: readonly JsonRecord[], out: ModelEvent[]): void {
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
      this.readDelta(kind, partAt(message, kind, `c${at}`), text, out);
    }
  }

  /** A message that has more than turnkeep's own members, such as a `phase`, is one of its own. */
  beginMessage(item: JsonRecord, index: unknown, out: ModelEvent[]): SaidItem {
    const message = this.#messages.begin(item['id'], index);
    this.#keepMembers(message, item, out);
    return message;
  }

  #keepMembers(message: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const given = Object.entries(item).filter(([key, value]) => !ownOfMessage.has(key) && value !== null);
    const members = Object.fromEntries(given) as JsonObject;
    const known = this.#members.get(message.key) ?? '{}';
    if (JSON.stringify(members) === known || given.length === 0) return;
    this.#members.set(message.key, JSON.stringify(members));
    this.#sink.keep({ type: 'message', text: '', item: message.key, members }, out);
  }

  #readMessage(message: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const whole = partsOf(item);
    for (const kind of ['text', 'refusal'] as const) {
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
        this.readDelta(kind, partAt(message, kind, placeOf(message, kind, at)), piece, out);
      }
    }
    for (const [at, { kind, annotations }] of whole.entries()) {
      if (kind !== 'text') continue;
      const part = partAt(message, kind, placeOf(message, kind, at));
      for (const annotation of annotations.slice(part.annotations)) this.readAnnotation(part, annotation, out);
    }
  }

  readWhole(kind: TextKind, part: SaidPart, text: string, out: ModelEvent[]): void {
    // Reasoning is not the answer: where it is told in two ways, the first stands.
    if (kind === 'reasoning' && !text.startsWith(part.said)) return;
    this.readDelta(kind, part, restOf(part.said, text), out);
  }

  readDelta(kind: TextKind, part: SaidPart, text: string, out: ModelEvent[], logprobs?: unknown): void {
    if (text === '') return;
    part.said += text;
    const more = kind === 'text' && Array.isArray(logprobs) && logprobs.length > 0 ? { logprobs: logprobs as readonly Json[] } : {};
    this.#sink.show({ type: kind, text, item: part.key, ...more }, out);
  }

  readAnnotation(part: SaidPart, annotation: unknown, out: ModelEvent[]): void {
    if (asRecord(annotation) === undefined) return;
    part.annotations += 1;
    this.#sink.keep({ type: 'annotation', text: '', item: part.key, annotation: annotation as Json }, out);
  }

  #readThought(thought: SaidItem, item: JsonRecord, out: ModelEvent[]): void {
    const texts = ['summary', 'content'].map((list) => asArray(item[list]).map((each) => asText(asRecord(each)?.['text']) ?? ''));
    const [place, whole = []] = (texts[0] ?? []).some((text) => text !== '') ? ['s', texts[0]] : ['c', texts[1]];
    if (saidOf(thought, 'reasoning') === '') {
      for (const [at, text] of whole.entries()) this.readDelta('reasoning', partAt(thought, 'reasoning', `${place}${at}`), text, out);
    }
    const encrypted = asText(item['encrypted_content']);
    if (encrypted === undefined) return;
    const last = [...thought.parts.values()].findLast(({ said }) => said !== '');
    const key = last?.key ?? `encrypted ${(this.#encryptedCount += 1)}`;
    this.#sink.keep({ type: 'encrypted_reasoning', item: key, text: encrypted }, out);
  }
}

interface WholePart {
  readonly kind: 'text' | 'refusal';
  readonly text: string;
  readonly annotations: readonly unknown[];
}

function partsOf(item: JsonRecord): readonly WholePart[] {
  return asArray(item['content']).map((each): WholePart => {
    const part = asRecord(each) ?? {};
    const refusal = asText(part['refusal']);
    const annotations = asArray(part['annotations']);
    return refusal === undefined
      ? { kind: 'text', text: asText(part['text']) ?? '', annotations }
      : { kind: 'refusal', text: refusal, annotations };
  });
}

/** The place that the deltas gave the part: servers leave it out where there is only one. */
function placeOf(item: SaidItem, kind: TextKind, at: number): string {
  return at === 0 && item.parts.has(`${kind} `) ? '' : `c${at}`;
}

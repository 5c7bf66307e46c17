/**
 * Reads server-sent events out of bytes, wherever the chunks are cut. On the hot path: one call a chunk, one callback
 * an event.
 *
 * By hand, because `eventsource-parser` drops a line that is no field of the format, and such lines are where servers
 * that have failed state their error: as JSON, or in plain words, without `data:` (docs/decisions/0003).
 */
import { modelFailure, protocolError } from '../failures/model-failure.ts';
import { parseJson } from '../json.ts';
import { ProviderError } from '../provider.ts';

export interface SseEvent {
  /** The `event:` field, if there was one. */
  readonly event?: string | undefined;
  readonly data: string;
}

/** What an event may have beside the answer, in UTF-16 units: the request's own settings, and the escapes of JSON. */
const besideAnswer = 8 * 1_024 * 1_024;
/** Of the answer, where nobody says how much it may be. */
const longestAnswer = 16 * 1_024 * 1_024;
/** How much is kept of lines that are no fields, in UTF-16 units. */
const longestStray = 64 * 1_024;

/** The body begins as a JSON document: no event stream, but maybe a stated error. */
export class JsonDocumentError extends ProviderError {
  /** As much of the document as had arrived. */
  readonly beginning: string;
  constructor(beginning: string) {
    super(protocolError('no_event_stream').failure);
    this.beginning = beginning;
  }
}

export class SseReader {
  readonly #onEvent: (event: SseEvent) => void;
  readonly #longestEvent: number;
  readonly #decoder = new TextDecoder();
  /** The line that has not ended yet, in the pieces in which it came: joined once, so that a long line costs no more than its length. */
  readonly #unended: string[] = [];
  #unendedLength = 0;
  #endsInReturn = false;
  #event: string | undefined;
  /** undefined: the event has no data yet. */
  #data: string | undefined;
  /** Whether the data is one line that has not been looked at. */
  #mayBeWhole = false;
  /** Whether this server leaves out the empty line between two events. */
  #isUnspaced = false;
  /** JSON without `data:`, as far as it has come: it may be spread over lines. */
  #strayJson = '';
  #words = '';
  #isSniffed = false;
  #hasEvents = false;

  /**
   * @param onEvent may throw; the reader must not be used after that.
   * @param maxAnswerBytes one event may hold the whole answer: the last one of the Responses API does
   */
  constructor(onEvent: (event: SseEvent) => void, maxAnswerBytes = longestAnswer) {
    this.#onEvent = onEvent;
    this.#longestEvent = maxAnswerBytes + besideAnswer;
  }

  /** The lines that are no fields and no JSON, as one text: an error in plain words, or no event stream at all. */
  get strayWords(): string {
    return this.#words;
  }

  /** Whether lines came, but not one event. */
  get isNoEventStream(): boolean {
    return !this.#hasEvents && (this.#words !== '' || this.#strayJson !== '');
  }

  /** Throws `ProviderError` (`provider_protocol`, `output_too_large`), `JsonDocumentError` at the first bytes, and whatever `onEvent` throws. */
  push(bytes: Uint8Array): void {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (!this.#isSniffed) this.#sniff(text);
    // A return and a line feed end one line, also where a chunk ends between the two.
    if (this.#endsInReturn && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.#endsInReturn = text.endsWith('\r');
    if (text.includes('\r')) text = text.replaceAll(/\r\n?/g, '\n');
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.#readLine(this.#whole(text.slice(start, end)));
      start = end + 1;
    }
    if (start < text.length) {
      const rest = text.slice(start);
      this.#unended.push(rest);
      this.#unendedLength += rest.length;
    }
    this.#checkLength();
  }

  /**
   * The body has ended. An event that lacks its end counts where its data is whole JSON, or `[DONE]`: whoever sent that meant it. Other
   * data that the format calls incomplete proves nothing (T8). Throws what `onEvent` throws.
   */
  end(): void {
    const line = this.#whole('');
    if (!isField(line) || (line.startsWith('data:') && isWholeData(valueOf(line, 5)))) this.#readLine(line);
    const data = this.#data ?? '';
    this.#data = undefined;
    for (const whole of isWholeData(data) ? [data] : data.split('\n').filter(isWholeData)) this.#emit({ event: this.#event, data: whole });
    // The JSON of an error that was cut off is still its words.
    if (this.#strayJson !== '') this.#addWords(this.#strayJson);
  }

  /** The line that ends with this text. */
  #whole(text: string): string {
    if (this.#unended.length === 0) return text;
    const line = this.#unended.join('') + text;
    this.#unended.length = 0;
    this.#unendedLength = 0;
    return line;
  }

  #readLine(line: string): void {
    if (line.startsWith('data:')) this.#addData(valueOf(line, 5));
    else if (line === '') this.#dispatch();
    else if (line.startsWith(':')) return;
    else if (line.startsWith('event:')) this.#nameEvent(valueOf(line, 6));
    else if (line === 'data') this.#addData('');
    // Older llama.cpp sends its errors as a field of this name instead of an event.
    else if (line.startsWith('error:')) this.#emitStray(valueOf(line, 6), 'error');
    else if (!isField(line)) this.#readStray(line);
  }

  /**
   * Some servers leave out the empty line between two events. What is whole JSON with its first line has no second one, so that each
   * first line is looked at once, however many follow.
   */
  #addData(value: string): void {
    if (this.#isUnspaced && this.#data === undefined && isWholeData(value)) {
      this.#data = value;
      this.#dispatch();
    } else if (this.#data === undefined) {
      this.#data = value;
      this.#mayBeWhole = true;
    } else if (value.trim() !== '' && this.#endsUnspaced()) {
      this.#addData(value);
    } else {
      this.#data = `${this.#data}\n${value}`;
    }
    this.#checkLength();
  }

  /** A second name is that of the next event. */
  #nameEvent(name: string): void {
    if (this.#event !== undefined) this.#endsUnspaced();
    this.#event = name;
  }

  /** Ends the event that lacks its empty line, if it is one. */
  #endsUnspaced(): boolean {
    if (!this.#mayBeWhole || this.#data === undefined) return false;
    this.#mayBeWhole = false;
    if (!isWholeData(this.#data)) return false;
    this.#isUnspaced = true;
    this.#dispatch();
    return true;
  }

  #dispatch(): void {
    const event = this.#event;
    const data = this.#data;
    this.#event = undefined;
    this.#data = undefined;
    if (data !== undefined) this.#emit({ event, data });
  }

  #emit(event: SseEvent): void {
    this.#hasEvents = true;
    this.#onEvent(event);
  }

  #emitStray(data: string, event?: string): void {
    // An event that is whole and lacks its empty line came before it.
    this.#endsUnspaced();
    this.#emit({ event: event ?? this.#event, data });
  }

  #readStray(line: string): void {
    if (this.#strayJson === '' && !/^\s*[[{]/.test(line)) {
      this.#addWords(line);
      return;
    }
    if (this.#strayJson.length + line.length > longestStray) return;
    this.#strayJson += `${line}\n`;
    const json = /[\]}]\s*$/.test(line) ? parseJson(this.#strayJson) : undefined;
    if (json === undefined) return;
    const data = this.#strayJson;
    this.#strayJson = '';
    this.#emitStray(data);
  }

  #addWords(line: string): void {
    if (this.#words.length < longestStray) this.#words += `${this.#words === '' ? '' : ' '}${line.slice(0, longestStray)}`;
  }

  /** A line that is no data is not of the answer, however long that may be. */
  #checkLength(): void {
    const isData = this.#data !== undefined || this.#unended[0]?.startsWith('data:') === true;
    if (this.#unendedLength + (this.#data?.length ?? 0) <= (isData ? this.#longestEvent : besideAnswer)) return;
    if (isData) throw new ProviderError(modelFailure('output_too_large', { detail: 'event_too_long' }));
    throw protocolError('event_too_long');
  }

  /** Recognises an HTML page or a JSON document by its first character, instead of waiting for a deadline. */
  #sniff(text: string): void {
    const first = /\S/.exec(text)?.[0];
    if (first === undefined) return;
    this.#isSniffed = true;
    if (first === '<') throw protocolError('no_event_stream');
    if (first === '{' || first === '[') throw new JsonDocumentError(text);
  }
}

/** Of the format, or the beginning of one: `dat` is where a connection was cut. */
function isField(line: string): boolean {
  return /^(?:$|:|(?:data|event|id|retry)(?::|$))/.test(line) || ['data:', 'event:', 'id:', 'retry:'].some((name) => name.startsWith(line));
}

/** By itself: an object or a list of JSON, or the end. */
function isWholeData(data: string): boolean {
  return /^\s*[[{]/.test(data) && (parseJson(data) !== undefined || data.trim() === '[DONE]');
}

/** Without the one space that may stand before it. */
function valueOf(line: string, at: number): string {
  return line.slice(line.charCodeAt(at) === 0x20 ? at + 1 : at);
}

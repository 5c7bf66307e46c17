/**
 * How a turn's journal becomes the server-sent events of a protocol. The Responses API shows the rows as they are; the
 * other protocols translate each event. Pure: every viewer of a protocol reads the same, live or replayed (T7).
 */
import type { ViewerProtocol } from '../../domain/turn/viewer.ts';
import type { JournalRow, ResponseEvent } from '../../domain/response/response-event.ts';

/** One viewer's encoder: it may keep state from batch to batch. */
export interface TurnEncoder {
  /** The events of the Responses API where nothing is said. */
  readonly protocol?: ViewerProtocol;
  /** Response headers of the protocol's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Written before the first batch. */
  readonly preface?: string;
  /** Gets the batches of a turn in order. An empty text: the protocol shows nothing of these rows. */
  readonly encode: (rows: readonly JournalRow[]) => EncodedRows | string;
  /** Written after the last batch, where the rows themselves do not say that the stream is whole. */
  readonly ending?: string;
}

/** A batch of rows, encoded once and shared by the viewers that are sent it. */
export interface EncodedRows {
  readonly bytes: Buffer;
  /** `bytes` as one chunk of a chunked body: its length before it and a line's end behind it. */
  readonly chunk: Buffer;
}

/** The last event of a stream that is whole. */
export const sseDone = '[DONE]';

/** What the `data:` line of one event holds. */
export type SsePayload = object | typeof sseDone;

/** OpenAI's own events, for the Responses API: the rows with `event:`, `id:` and `data:` before their fields. */
export const journalEncoder: TurnEncoder = { encode: encodeRows, ending: sseText(sseDone) };

/** A batch is the same array for all viewers at the same place of a turn (`Store.follow`), so the array is the key. */
const encodedBatches = new WeakMap<readonly JournalRow[], EncodedRows>();

function encodeRows(rows: readonly JournalRow[]): EncodedRows {
  let encoded = encodedBatches.get(rows);
  if (encoded === undefined) {
    const text = rows.map(rowText).join('');
    const length = Buffer.byteLength(text);
    const size = `${length.toString(16)}\r\n`;
    const chunk = Buffer.from(`${size}${text}\r\n`);
    encoded = { chunk, bytes: chunk.subarray(size.length, size.length + length) };
    encodedBatches.set(rows, encoded);
  }
  return encoded;
}

/** A browser's EventSource sends the `id` back as `Last-Event-ID`. */
function rowText({ seq, type, data }: JournalRow): string {
  return `event: ${type}\nid: ${seq}\ndata: ${data}\n\n`;
}

/** A protocol's view of a turn: takes its events one at a time and gives the payloads that each becomes. Pure. */
export interface Translator<State> {
  readonly initial: State;
  /** Event types that the protocol has no words for become nothing. */
  readonly step: (state: State, event: ResponseEvent) => readonly [State, readonly SsePayload[]];
}

export interface TranslatorOptions {
  readonly protocol: ViewerProtocol;
  readonly headers?: Readonly<Record<string, string>>;
  readonly preface?: readonly SsePayload[];
}

/** Server-sent events without names. The translator shows the end of the turn; a stream that lacks it is not whole. */
export function translatorEncoder<State>(
  translator: Translator<State>,
  { protocol, headers, preface = [] }: TranslatorOptions,
): TurnEncoder {
  const translate = startTranslation(translator);
  return {
    protocol,
    ...(headers === undefined ? {} : { headers }),
    preface: preface.map(sseText).join(''),
    encode: (rows) => translate(rows).map(sseText).join(''),
  };
}

/** A translator at the beginning of a turn: gets the batches of the turn in order, gives their payloads. */
export function startTranslation<State>({ initial, step }: Translator<State>): (rows: readonly JournalRow[]) => readonly SsePayload[] {
  let state = initial;
  return (rows) =>
    rows.flatMap((row) => {
      const [next, payloads] = step(state, JSON.parse(row.data) as ResponseEvent);
      state = next;
      return payloads;
    });
}

function sseText(payload: SsePayload): string {
  return `data: ${payload === sseDone ? sseDone : JSON.stringify(payload)}\n\n`;
}

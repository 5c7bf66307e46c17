/**
 * A turn's journal through a translator, as server-sent events without names, onto the Node response. The translator
 * says what the end looks like; a stream that breaks off without it is cut, so that no viewer takes it for the end.
 */
import { once } from 'node:events';
import type { JournalRow, ResponseEvent } from '../../domain/response-event.ts';
import { type EventStreamOptions, openEventStream } from './event-stream.ts';
import { done, type SsePayload, translating, type Translator } from './translation.ts';

export interface TranslatedStream<State> extends EventStreamOptions {
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
  readonly translator: Translator<State>;
  /** What is shown before the first row. */
  readonly preface?: readonly SsePayload[];
}

/** Resolves when the stream has been written to its end or the viewer has gone. */
export async function writeTranslated<State>({ rows, translator, preface = [], ...options }: TranslatedStream<State>): Promise<void> {
  const { outgoing } = options;
  const stream = openEventStream(options);
  if (stream === undefined) return;
  const { signal, silence } = stream;
  const translate = translating(translator);
  try {
    if (preface.length > 0) outgoing.write(preface.map(lineOf).join(''));
    for await (const batch of rows(signal)) {
      const text = batch
        .flatMap((row) => translate(JSON.parse(row.data) as ResponseEvent))
        .map(lineOf)
        .join('');
      if (text === '') continue;
      silence.isBroken = true;
      const isWritten = outgoing.write(text);
      // A slow viewer lags on its own cursor; nothing waits for it (T12).
      if (!isWritten && !signal.aborted) await once(outgoing, 'drain', { signal: signal }).catch(() => undefined);
    }
    if (!signal.aborted) outgoing.end();
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    silence.end();
  }
}

function lineOf(frame: SsePayload): string {
  return `data: ${frame === done ? done : JSON.stringify(frame)}\n\n`;
}

/**
 * A turn's journal through a translator, as server-sent events without names, onto the Node response. The translator
 * says what the end looks like; a stream that breaks off without it is cut, so that no viewer takes it for the end.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JournalRow, ResponseEvent } from '../client/turnkeep.ts';
import { done, type Frame, translating, type Translator } from './translation.ts';

/** Proxies and Node's own fetch give up on a silent body after minutes. */
const defaultIdleCommentMs = 15_000;
const noticeEveryMs = 500;

export interface TranslatedStream<State> {
  readonly outgoing: ServerResponse;
  /** Ends when the turn has ended. Must stop when `signal` aborts. */
  readonly rows: (signal: AbortSignal) => AsyncIterable<readonly JournalRow[]>;
  readonly translator: Translator<State>;
  /** What is shown before the first row. */
  readonly preface?: readonly Frame[];
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a stream is silent before a comment is sent. */
  readonly idleCommentMs?: number | undefined;
  /** What a waiting viewer may be told in a comment: said once, when it is new. */
  readonly notice: () => Promise<string | undefined>;
  /** The end was written out. */
  readonly onEnd: () => Promise<void>;
}

/** Resolves when the stream has been written to its end or the viewer has gone. */
export async function writeTranslated<State>(stream: TranslatedStream<State>): Promise<void> {
  const { outgoing, rows, translator, preface = [], headers, notice, onEnd, idleCommentMs = defaultIdleCommentMs } = stream;
  // Gone before we began: its `close` will not come again.
  if (outgoing.destroyed) return;
  const gone = new AbortController();
  outgoing.on('close', () => {
    gone.abort();
  });
  outgoing.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    // nginx would hold events back otherwise.
    'x-accel-buffering': 'no',
    ...headers,
  });
  outgoing.flushHeaders();
  outgoing.socket?.setNoDelay(true);
  const timers = startComments(outgoing, notice, idleCommentMs);
  const translate = translating(translator);
  try {
    if (preface.length > 0) outgoing.write(preface.map(lineOf).join(''));
    for await (const batch of rows(gone.signal)) {
      const text = batch
        .flatMap((row) => translate(JSON.parse(row.data) as ResponseEvent))
        .map(lineOf)
        .join('');
      if (text === '') continue;
      for (const timer of timers) timer.refresh();
      const isWritten = outgoing.write(text);
      // A slow viewer lags on its own cursor; nothing waits for it (T12).
      if (!isWritten && !gone.signal.aborted) await once(outgoing, 'drain', { signal: gone.signal }).catch(() => undefined);
    }
    if (!gone.signal.aborted) {
      outgoing.end();
      await onEnd();
    }
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    for (const timer of timers) clearInterval(timer);
  }
}

/** Signs of life, and news of retries while nothing else comes: comments, which no client takes for an event. */
function startComments(
  outgoing: ServerResponse,
  notice: () => Promise<string | undefined>,
  idleCommentMs: number,
): readonly NodeJS.Timeout[] {
  let told: string | undefined;
  const say = (text: string): void => {
    // A viewer that does not read needs neither.
    if (outgoing.writableLength === 0 && !outgoing.writableEnded) outgoing.write(`: ${text}\n\n`);
  };
  const alive = setInterval(() => {
    say('keep-alive');
  }, idleCommentMs);
  const news = setInterval(() => {
    notice().then(
      (text) => {
        if (text === undefined || text === told) return;
        told = text;
        say(text);
      },
      // A notice is a courtesy; the events themselves will tell of any trouble.
      () => undefined,
    );
  }, noticeEveryMs);
  return [alive, news];
}

function lineOf(frame: Frame): string {
  return `data: ${frame === done ? done : JSON.stringify(frame)}\n\n`;
}

/**
 * One turn, from what the user said to its end, past restarts of the gateway: a cut stream is resumed behind the last
 * event seen, a POST whose answer was lost is made again under its `Idempotency-Key`.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CallError, type CallFailure } from './call-failure.ts';
import type { GatewayCalls, StreamItem } from './gateway-calls.ts';
import { noticeOfComment, piecesOf } from './pieces.ts';
import { advance, atStart, type Ending, isRepeat } from './progress.ts';
import { nextCall } from './reconnect.ts';
import { persistently, Retries, type Show } from './retries.ts';

export interface TurnOptions {
  readonly calls: GatewayCalls;
  /** Of `POST /responses`, but for `stream`. */
  readonly body: object;
  readonly show: Show;
  /** Aborting it cancels the turn; it ends when the gateway says so. */
  readonly stop: AbortSignal;
}

/** `lost`: its end is not known here. `wasSent`: the gateway has it, and it goes on there. */
export type TurnResult = Ending | { readonly status: 'lost'; readonly wasSent: boolean; readonly failure: CallFailure };

export async function runTurn({ calls, body, show, stop }: TurnOptions): Promise<TurnResult> {
  const request = { ...body, stream: true };
  const key = `chat-${randomUUID()}`;
  const over = new AbortController();
  const retries = new Retries(show);
  const known = Promise.withResolvers<string>();
  const cancel = (): void => void known.promise.then((id) => cancelTurn(calls, id, over.signal));
  if (stop.aborted) cancel();
  else stop.addEventListener('abort', cancel, { once: true });
  let progress = atStart;
  let told: string | undefined;

  const take = (item: StreamItem): void => {
    retries.signOfLife();
    if (item.type === 'comment') {
      const notice = noticeOfComment(item.text);
      // A stream that was resumed tells it again.
      if (notice === undefined || item.text === told) return;
      told = item.text;
      show(notice);
      return;
    }
    if (item.type === 'id') {
      progress = { ...progress, id: item.id };
    } else if (!isRepeat(progress, item.event)) {
      progress = advance(progress, item.event);
      for (const piece of piecesOf(item.event)) show(piece);
    }
    if (progress.id !== undefined) known.resolve(progress.id);
  };

  try {
    let stream = calls.post(request, key);
    for (;;) {
      const failure = await cutOf(stream, take);
      if (progress.ending !== undefined) return progress.ending;
      const next = nextCall(failure, progress, retries.after(failure));
      if (next.type === 'give_up') return { status: 'lost', wasSent: progress.id !== undefined, failure };
      await delay(next.waitMs);
      stream = next.type === 'post' ? calls.post(request, key) : calls.resume(next.id, next.after);
    }
  } finally {
    over.abort();
    show({ kind: 'end' });
  }
}

/** Reads to the end of the stream. A clean one proves nothing: a turn has ended when its last event was seen. */
async function cutOf(stream: AsyncIterable<StreamItem>, take: (item: StreamItem) => void): Promise<CallFailure> {
  try {
    for await (const item of stream) take(item);
    return { type: 'unreachable', detail: 'the stream ended before the turn did' };
  } catch (error) {
    if (error instanceof CallError) return error.failure;
    throw error;
  }
}

/** A restart must not swallow the stop; refused, the turn had its end before, and its stream tells which. */
async function cancelTurn(calls: GatewayCalls, id: string, over: AbortSignal): Promise<void> {
  const path = `/responses/${encodeURIComponent(id)}/cancel`;
  await persistently(
    () => calls.json('POST', path),
    () => undefined,
    over,
  ).catch(() => undefined);
}

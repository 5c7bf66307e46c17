/** The answer that is under way: followed to its end, past reloads of the page and restarts of the gateway. */
import { useCallback, useEffect, useState } from 'react';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { outcomeOf, type ResponseOutcome } from '../../http-client/events.ts';
import { resumeResponse, type StreamUpdate } from '../../http-client/resume.ts';
import { useGateway } from '../api/client.tsx';
import { duration } from '../shell/words.tsx';
import { LiveItems, type ShownItem } from './shown-item.ts';

export interface LiveTurn {
  readonly id: string;
  /** How often it was looked for again, after it was lost. */
  readonly round: number;
  readonly items: readonly ShownItem[];
  /** What is going on beside the answer: a retry, or a gateway that is away. */
  readonly notice: string | undefined;
  readonly outcome: ResponseOutcome | undefined;
  /** Given up: the turn goes on without this page. */
  readonly lost: string | undefined;
}

/** Deltas come faster than anybody reads, or a browser draws. */
const drawEveryMs = 50;

/** @param id undefined: none is followed */
export function useLiveTurn(id: string | undefined): { readonly live: LiveTurn | undefined; readonly again: () => void } {
  const { client, noticeFailure } = useGateway();
  const [live, setLive] = useState<LiveTurn>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (id === undefined) return undefined;
    const gone = new AbortController();
    void follow(client, { id, round }, gone.signal, setLive).catch((error: unknown) => {
      if (gone.signal.aborted) return;
      noticeFailure(error);
      if (!(error instanceof CallError)) throw error;
      const lost = describeFailure(error.failure);
      setLive((before) => ({ ...(before?.id === id ? before : started({ id, round })), notice: undefined, lost }));
    });
    return () => gone.abort(new Error('the page shows another turn'));
  }, [client, id, round, noticeFailure]);
  const again = useCallback(() => setRound((before) => before + 1), []);
  return { live: live !== undefined && live.id === id && live.round === round ? live : undefined, again };
}

type Followed = Pick<LiveTurn, 'id' | 'round'>;

function started(followed: Followed): LiveTurn {
  return { ...followed, items: [], notice: undefined, outcome: undefined, lost: undefined };
}

async function follow(client: GatewayClient, followed: Followed, signal: AbortSignal, show: (live: LiveTurn) => void): Promise<void> {
  const { id } = followed;
  const items = new LiveItems(id);
  let live = started(followed);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    timer = undefined;
    live = { ...live, items: items.all };
    show(live);
  };
  try {
    draw();
    for await (const update of resumeResponse(client, id, { signal })) {
      const isNew = update.type === 'event' && items.add(update.event);
      const notice = noticeOf(update, live.notice);
      const outcome = live.outcome ?? (update.type === 'event' ? outcomeOf(update.event) : undefined);
      if (!isNew && notice === live.notice && outcome === live.outcome) continue;
      live = { ...live, notice, outcome };
      timer ??= setTimeout(draw, drawEveryMs);
    }
  } finally {
    clearTimeout(timer);
    if (!signal.aborted) draw();
  }
}

function noticeOf(update: StreamUpdate, before: string | undefined): string | undefined {
  if (update.type === 'event')
    return update.event.type === 'response.queued' ? 'waits for the answer before it, or for a worker' : undefined;
  // A connection that is back after one try needs no words.
  if (update.type === 'retry')
    return update.failures < 2 ? before : 'the gateway does not answer; the answer goes on there and is fetched when it is back';
  if (update.type === 'comment') return retryWords(update.text) ?? before;
  return before;
}

/** Of the comment that tells of a retry: `retry 2 of 3 in 1000 ms: provider_busy`. */
function retryWords(comment: string): string | undefined {
  const [, request, most, waitMs, code] = /^\s*retry (\d+) of (\d+) in (\d+) ms: (\S*)/.exec(comment) ?? [];
  if (waitMs === undefined) return undefined;
  return `${code ?? 'it failed'}: asking again in ${duration(Number(waitMs))}, request ${request} of ${most}`;
}

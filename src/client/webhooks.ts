/**
 * Hands the events that are owed to endpoints to Temporal: one workflow for each, so that no turn waits for it or fails with
 * it. Whoever writes a turn's end does it at once; what a killed process has left, or Temporal's absence, any process does.
 */
import { giveUpAfterMs, reportOf, startAgainAfterMs, type WebhookReport, type WebhookStatus } from '../domain/turn/webhook.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Dispatcher } from './dispatcher.ts';

const batch = 200;
const atOnce = 16;

type Starter = Pick<Dispatcher, 'startWebhook'>;

/** A store behind which the end of a turn is followed by its webhook. It changes no result, and no call waits for it. */
export function withWebhooks(store: Store, dispatcher: Starter): Store {
  return {
    ...store,
    async seal(seal) {
      const result = await store.seal(seal);
      // What fails here is still owed, and the sweep of any process finds it.
      if (result.type === 'sealed' && result.owesWebhook === true) startWebhook(store, dispatcher, seal.turn).catch(() => undefined);
      return result;
    },
  };
}

/** Throws when Temporal cannot be reached; the event stays owed then. */
async function startWebhook(store: Store, dispatcher: Starter, turn: string): Promise<void> {
  const end = await dispatcher.startWebhook(turn);
  // What became of it was not noted, or the database is older than that, from a backup.
  if (end !== undefined && end.status !== 'gone') await noteEnd(store, turn, end.status);
  else await retryWhileBusy(() => store.markWebhookStarted(turn));
}

async function noteEnd(store: Store, turn: string, status: WebhookStatus): Promise<void> {
  const webhook = await store.readWebhook(turn);
  if (webhook === undefined) return;
  await retryWhileBusy(() => store.noteWebhook(turn, { status, attempts: webhook.attempts, lastError: webhook.lastError }));
}

export interface StartWebhooksOptions {
  readonly store: Store;
  readonly dispatcher: Starter;
  /** Of one that is given up, and of one that nobody has tried to deliver for an hour. */
  readonly onReport: (report: WebhookReport) => void;
  readonly onError: (error: unknown) => void;
}

/** Starts those that nobody has started, and gives up what no worker has taken in all its time. */
export async function startWebhooks({ store, dispatcher, onReport, onError }: StartWebhooksOptions): Promise<void> {
  const due = await store.listUnstartedWebhooks(batch);
  const left = [...due];
  const workOn = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { turn, owedAtMs } = next;
      const sinceOwedMs = Date.now() - owedAtMs;
      await (sinceOwedMs > giveUpAfterMs ? giveUp(store, turn, onReport) : startWebhook(store, dispatcher, turn)).catch(onError);
      if (sinceOwedMs >= startAgainAfterMs) await reportUntried(store, turn, onReport).catch(onError);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, workOn));
}

/** No worker has the settings, or Temporal is away. */
const untried = 'not_tried';

async function reportUntried(store: Store, turn: string, onReport: StartWebhooksOptions['onReport']): Promise<void> {
  const webhook = await store.readWebhook(turn);
  if (webhook?.status !== 'pending' || webhook.attempts > 0) return;
  onReport(reportOf(webhook, { status: 'pending', error: untried, attempts: 0 }));
}

async function giveUp(store: Store, turn: string, onReport: StartWebhooksOptions['onReport']): Promise<void> {
  const webhook = await store.readWebhook(turn);
  if (webhook === undefined) return;
  const note = { status: 'given_up', attempts: webhook.attempts, lastError: webhook.lastError ?? untried } as const;
  await store.noteWebhook(turn, note);
  onReport(reportOf(webhook, { status: note.status, error: note.lastError, attempts: note.attempts }));
}

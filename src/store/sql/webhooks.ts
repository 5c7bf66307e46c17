/** The events that are owed to endpoints: a row from the turn's acceptance on, which its end makes due in the same commit. */
import type { SettledStatus } from '../../domain/response/response.ts';
import {
  startAgainAfterMs,
  startGraceMs,
  type WebhookEvent,
  webhookEventOf,
  type WebhookRow,
  type WebhookStatus,
} from '../../domain/turn/webhook.ts';
import type { WebhookNote } from '../ports/webhooks.ts';
import { all, now, one, run, type SqlDatabase, type Work } from './work.ts';
import { text, textOrNull } from './rows.ts';

/** In the commit that takes the turn in. */
export function* promiseWebhook(turn: string, events: readonly WebhookEvent[]): Work<void> {
  yield* run('INSERT INTO webhooks (turn, events) VALUES (?, ?)', turn, events.join(','));
}

/** In the commit that gives the turn its end. True: an event is owed from now on. */
export function* oweWebhook(turn: string, status: SettledStatus, atMs: number): Work<boolean> {
  const row = yield* one('SELECT events FROM webhooks WHERE turn = ?', turn);
  if (row === undefined) return false;
  const event = webhookEventOf(status);
  const isOwed = text(row['events']).split(',').includes(event);
  if (isOwed) yield* run('UPDATE webhooks SET event = ?, owed_at = ?, start_at = ? WHERE turn = ?', event, atMs, atMs + startGraceMs, turn);
  else yield* dropWebhook(turn);
  return isOwed;
}

/** With all else that there is of the turn. */
export function* dropWebhook(turn: string): Work<void> {
  yield* run('DELETE FROM webhooks WHERE turn = ?', turn);
}

export function* listUnstartedWebhooks(limit: number): Work<{ turn: string; owedAtMs: number }[]> {
  const nowMs = yield* now();
  const sql = `SELECT turn, owed_at FROM webhooks WHERE start_at IS NOT NULL AND (start_at <= ? OR start_at > ?) LIMIT ?`;
  return (yield* all(sql, nowMs, nowMs + startAgainAfterMs, limit)).map((row) => ({
    turn: text(row['turn']),
    owedAtMs: Number(row['owed_at']),
  }));
}

export async function markWebhookStarted(db: SqlDatabase, turn: string): Promise<void> {
  const sql = 'UPDATE webhooks SET start_at = ? WHERE turn = ? AND start_at IS NOT NULL';
  await db.commit('quick', function* () {
    yield* run(sql, (yield* now()) + startAgainAfterMs, turn);
  });
}

export function* readWebhook(turn: string): Work<WebhookRow | undefined> {
  const sql = `SELECT tenant, public_id, event, owed_at, webhooks.status, attempts, last_error
    FROM webhooks JOIN turns ON turns.id = turn WHERE turn = ? AND event IS NOT NULL`;
  const row = yield* one(sql, turn);
  if (row === undefined) return undefined;
  return {
    turn,
    tenant: text(row['tenant']),
    publicId: textOrNull(row['public_id']) ?? turn,
    event: text(row['event']) as WebhookEvent,
    owedAtMs: Number(row['owed_at']),
    status: text(row['status']) as WebhookStatus,
    attempts: Number(row['attempts']),
    lastError: textOrNull(row['last_error']),
  };
}

export async function noteWebhook(db: SqlDatabase, turn: string, { status, attempts, lastError }: WebhookNote): Promise<void> {
  const sql = `UPDATE webhooks SET status = ?, attempts = ?, last_error = ?, start_at = CASE WHEN ? = 'pending' THEN start_at END
    WHERE turn = ? AND status = 'pending' AND event IS NOT NULL`;
  await db.commit('quick', () => run(sql, status, attempts, lastError, status, turn));
}

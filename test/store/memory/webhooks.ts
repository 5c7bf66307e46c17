import type { SettledStatus } from '../../../src/domain/response/response.ts';
import { startAgainAfterMs, startGraceMs, webhookEventOf } from '../../../src/domain/turn/webhook.ts';
import type { WebhookStore } from '../../../src/store/ports/webhooks.ts';
import type { Connection, StoredTurn } from './database.ts';

export function webhookStore(connection: Connection): WebhookStore {
  return {
    listUnstartedWebhooks: (limit) =>
      connection.transaction((database) => {
        const now = Date.now();
        const isDue = ({ webhook }: StoredTurn): boolean =>
          webhook?.startAtMs !== undefined && (webhook.startAtMs <= now || webhook.startAtMs > now + startAgainAfterMs);
        return database
          .turnsWhere(isDue)
          .slice(0, limit)
          .map(({ row, webhook }) => ({ turn: row.id, owedAtMs: webhook?.owedAtMs ?? 0 }));
      }),
    markWebhookStarted: (turn) =>
      connection.transaction(({ turns }) => {
        const webhook = turns.get(turn)?.webhook;
        if (webhook?.startAtMs !== undefined) webhook.startAtMs = Date.now() + startAgainAfterMs;
      }),
    readWebhook: (id) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(id);
        if (turn?.webhook?.event === undefined) return undefined;
        const { event, owedAtMs = 0, status, attempts, lastError } = turn.webhook;
        const { tenant, publicId } = turn.row;
        return { turn: id, tenant, publicId, event, owedAtMs, status, attempts, lastError };
      }),
    noteWebhook: (id, note) =>
      connection.transaction(({ turns }) => {
        const webhook = turns.get(id)?.webhook;
        if (webhook?.event === undefined || webhook.status !== 'pending') return;
        Object.assign(webhook, note);
        if (note.status !== 'pending') webhook.startAtMs = undefined;
      }),
  };
}

/** In the transaction that gives the turn its end. */
export function oweWebhook(turn: StoredTurn, status: SettledStatus, atMs: number): boolean {
  const event = webhookEventOf(status);
  if (turn.webhook?.events.includes(event) !== true) {
    turn.webhook = undefined;
    return false;
  }
  turn.webhook = { ...turn.webhook, event, owedAtMs: atMs, startAtMs: atMs + startGraceMs };
  return true;
}

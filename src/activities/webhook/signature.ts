/** The headers of a webhook, by the Standard Webhooks specification, as OpenAI's SDKs verify them (`client.webhooks.unwrap`). */
import { createHmac } from 'node:crypto';

export interface SignedContent {
  /** The event's: the same in every attempt. */
  readonly id: string;
  /** The attempt's: receivers refuse what is older than five minutes. */
  readonly atMs: number;
  readonly body: string;
}

/** @param secrets each signs; a receiver takes the message for any of them */
export function webhookHeaders({ id, atMs, body }: SignedContent, secrets: readonly Uint8Array[]): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1_000));
  const signatures = secrets.map((secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

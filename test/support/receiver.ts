/** An endpoint of webhooks: a real HTTP server that verifies what it gets with OpenAI's SDK, and answers as it is told to. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import OpenAI from 'openai';
import type { UnwrapWebhookEvent } from 'openai/resources/webhooks';
import { within } from './within.ts';

export interface Delivery {
  /** The `webhook-id`. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** As `client.webhooks.unwrap` gives it out, which throws at a wrong signature; the error then. */
  readonly event: UnwrapWebhookEvent | Error;
}

/** A status, or what to do with the response; undefined: 200. */
export type Answer = number | ((response: ServerResponse, request: IncomingMessage) => void);

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
  /** The bytes of it. */
  readonly secretBytes: Uint8Array;
  /** In the order of their arrival. */
  readonly deliveries: readonly Delivery[];
  /** Of the next requests, in order; all behind them are answered 200. */
  answer(...answers: readonly Answer[]): void;
  /** Resolves with the deliveries once there are so many. */
  received(count: number): Promise<readonly Delivery[]>;
  /** Those whose client hung up before it was answered. */
  readonly hangUps: number;
  hungUp(count: number): Promise<void>;
}

/** @param tls its certificate, where it speaks HTTPS */
export async function startReceiver({ tls }: { readonly tls?: { readonly key: string; readonly cert: string } } = {}): Promise<Receiver> {
  const secretBytes = new Uint8Array(randomBytes(32));
  const secret = `whsec_${Buffer.from(secretBytes).toString('base64')}`;
  const client = new OpenAI({ apiKey: 'none', webhookSecret: secret });
  const deliveries: Delivery[] = [];
  const answers: Answer[] = [];
  const watchers = new Set<() => void>();
  let hangUps = 0;
  const look = (): void => {
    for (const watcher of watchers) watcher();
  };
  const until = (isReached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const watcher = (): void => {
        if (!isReached()) return;
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
      watcher();
    });

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Before anything is waited for: the client may hang up meanwhile.
    response.once('close', () => {
      if (!response.writableFinished) hangUps += 1;
      look();
    });
    const body = (await buffer(request)).toString();
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(', ')]));
    const event = await client.webhooks.unwrap(body, headers).catch((error: unknown) => error as Error);
    const answer = answers.shift() ?? 200;
    deliveries.push({ id: headers['webhook-id'] ?? '', headers, body, event });
    if (typeof answer === 'number') response.writeHead(answer).end();
    else answer(response, request);
    look();
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void take(request, response).catch(() => request.destroy());
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    secret,
    secretBytes,
    deliveries,
    answer: (...more) => void answers.push(...more),
    async received(count) {
      await within(
        `${count} deliveries`,
        until(() => deliveries.length >= count),
        () => `${deliveries.length}`,
      );
      return deliveries;
    },
    get hangUps() {
      return hangUps;
    },
    hungUp: async (count) =>
      within(
        `${count} clients to hang up`,
        until(() => hangUps >= count),
        () => `${hangUps}`,
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

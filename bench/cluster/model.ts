/**
 * A model of Chat Completions that costs as little as it can, in a process of its own. Each token is the moment that it was written
 * (`clockMs`), so that whoever reads it knows how late it is. Answers what the last message of a request orders (`support/orders.ts`).
 */
import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serveCalls } from '../support/child.ts';
import { clockMs } from '../support/clock.ts';
import { type Order, orderOf } from '../support/orders.ts';

const chunk = (choices: string, more = ''): string =>
  `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[${choices}]${more}}\n\n`;
const role = chunk('{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}');
const finish = chunk('{"index":0,"delta":{},"finish_reason":"stop"}');
const token = (): string => chunk(`{"index":0,"delta":{"content":" t${clockMs().toFixed(2)}"},"finish_reason":null}`);
const ending = (tokens: number): string =>
  `${finish}${chunk('', `,"usage":{"prompt_tokens":3,"completion_tokens":${tokens},"total_tokens":${tokens + 3}}`)}data: [DONE]\n\n`;

/** Paced streams are written by one timer: one for each would be late where there are hundreds. */
interface Paced {
  readonly outgoing: ServerResponse;
  readonly tokens: number;
  readonly waitMs: number;
  written: number;
  nextAtMs: number;
}

const tickMs = 2;
const paced = new Set<Paced>();
/** Answers by the gate that they wait at. */
const held = new Map<string, () => void>();
const reached = new Map<string, PromiseWithResolvers<void>>();
let requests = 0;

let ticks: NodeJS.Timeout | undefined;

function tick(): void {
  const nowMs = clockMs();
  for (const stream of paced) {
    while (stream.nextAtMs <= nowMs && stream.written < stream.tokens) {
      stream.outgoing.write(token());
      stream.written += 1;
      stream.nextAtMs += stream.waitMs;
    }
    if (stream.written < stream.tokens) continue;
    paced.delete(stream);
    stream.outgoing.end(ending(stream.tokens));
  }
  if (paced.size > 0) return;
  clearInterval(ticks);
  ticks = undefined;
}

function answer(outgoing: ServerResponse, { tokens, waitMs = 0 }: Order): void {
  if (waitMs === 0) outgoing.end(Array.from({ length: tokens }, token).join('') + ending(tokens));
  // Streams that begin together are spread over the time between two tokens.
  else paced.add({ outgoing, tokens, waitMs, written: 0, nextAtMs: clockMs() + Math.random() * waitMs });
  if (paced.size > 0) ticks ??= setInterval(tick, tickMs);
}

const gateAt = (name: string): PromiseWithResolvers<void> => {
  const gate = reached.get(name) ?? Promise.withResolvers<void>();
  reached.set(name, gate);
  return gate;
};

const server = createServer((incoming, outgoing) => {
  let body = '';
  incoming.setEncoding('utf8').on('data', (piece: string) => (body += piece));
  incoming.on('end', () => {
    if (incoming.method !== 'POST') {
      outgoing.end('{"object":"list","data":[]}');
      return;
    }
    requests += 1;
    const { messages } = JSON.parse(body) as { messages: { content: string | { text: string }[] }[] };
    const content = messages.at(-1)?.content ?? '';
    const order = orderOf(typeof content === 'string' ? content : content.map((part) => part.text).join(''));
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
    if (order.gate === undefined) {
      outgoing.write(role);
      answer(outgoing, order);
      return;
    }
    outgoing.write(role);
    held.set(order.gate, () => answer(outgoing, order));
    gateAt(order.gate).resolve();
  });
});

serveCalls({
  start: async () => {
    server.listen(0, '127.0.0.1', 4_096);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  },
  reached: (gate: string) => gateAt(gate).promise,
  release: (gate: string) => {
    held.get(gate)?.();
    held.delete(gate);
  },
  count: () => requests,
  close: () => {
    server.close();
    server.closeAllConnections();
  },
});

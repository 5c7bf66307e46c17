/** A gateway of a few lines, whose every answer a test writes by hand: whole, cut, late or never. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewayClient } from '../../src/http-client/calls.ts';
import type { StreamUpdate } from '../../src/http-client/resume.ts';

export interface SeenRequest {
  readonly line: string;
  readonly key: string | undefined;
  readonly body: string;
}

export interface StubGateway extends AsyncDisposable {
  readonly url: string;
  readonly client: GatewayClient;
  readonly requests: readonly SeenRequest[];
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void;

/** @param answers one a request, in order; the last again for all that follow */
export async function startStubGateway(...answers: readonly Answer[]): Promise<StubGateway> {
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    void read(incoming).then((body) => {
      const key = incoming.headers['idempotency-key'];
      const request = { line: `${incoming.method} ${incoming.url}`, key: typeof key === 'string' ? key : undefined, body };
      requests.push(request);
      (answers[requests.length - 1] ?? answers.at(-1))?.(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    url,
    client: new GatewayClient({ baseUrl: url }),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What is left of a stream behind event `after`: the bytes of each event, the last one ends the turn. */
export function eventsOf(id: string, after = -1): readonly string[] {
  const events = [
    { type: 'response.created', response: { id, status: 'queued' } },
    { type: 'response.in_progress', response: { id, status: 'in_progress' } },
    { type: 'response.output_text.delta', delta: 'Hel' },
    { type: 'response.output_text.delta', delta: 'lo ☃' },
    { type: 'response.completed', response: { id, status: 'completed' } },
  ];
  return events
    .map((event, seq) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: seq })}\n\n`)
    .slice(after + 1);
}

export const lastSeq = 4;

export function sse(response: ServerResponse, id?: string): ServerResponse {
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', ...(id === undefined ? {} : { 'x-turnkeep-response-id': id }) };
  response.writeHead(200, headers).flushHeaders();
  return response;
}

/** The whole stream behind `starting_after`, as the gateway answers both calls. */
export const wholeStream: Answer = ({ line }, response) => {
  const after = /starting_after=(\d+)/.exec(line)?.[1];
  sse(response, 'resp_1').end([...eventsOf('resp_1', after === undefined ? -1 : Number(after)), 'data: [DONE]\n\n'].join(''));
};

/** Resets the connection once these bytes are on their way. */
export function cutAfter(response: ServerResponse, bytes: string | Uint8Array): void {
  response.write(bytes, () => response.socket?.resetAndDestroy());
}

export function refuse(status: number, headers: Record<string, string> = {}, code = 'scripted'): Answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { code, message: 'As scripted.' } }));
  };
}

/** What came of a stream, a word an update: `id`, the number of an event, a comment, a failure. */
export function wordOf(update: StreamUpdate): string | number {
  switch (update.type) {
    case 'id':
      return update.id;
    case 'event':
      return update.event.sequence_number ?? update.event.type;
    case 'comment':
      return `: ${update.text}`;
    case 'retry':
      return `retry ${update.failures}`;
  }
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString();
}

/** Shared by the tests of the model server: clients of it. */
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import OpenAI from 'openai';
import { Agent, fetch as undiciFetch } from 'undici';
import { head, type ModelServer, type ModelServerOptions, startModelServer } from '../../../src/testing/model-server/index.ts';

export const post = (body = '{}', more = ''): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
export const plain = (framing: Parameters<typeof head>[0] = {}) => head({ headers: { 'content-type': 'text/plain' }, ...framing });

export async function serverFor(t: TestContext, options?: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(options);
  t.after(() => server.close());
  return server;
}

export interface Received {
  readonly text: string;
  readonly endedBy: string;
}

/** What a client that is only a socket receives, up to the end of the connection. */
export async function receive(server: ModelServer, request: string): Promise<Received> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(request);
  const chunks: string[] = [];
  let endedBy = 'fin';
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk) => chunks.push(chunk.toString('latin1')));
  socket.on('error', (error: NodeJS.ErrnoException) => (endedBy = error.code ?? error.message));
  socket.on('close', () => resolve());
  await promise;
  return { text: chunks.join(''), endedBy };
}

export function nextChunk(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('data', (chunk) => resolve(chunk.toString('latin1')));
  return promise;
}

export function clientOf(t: TestContext, server: ModelServer, tls: { readonly ca?: string } = {}): OpenAI {
  // Without a dispatcher of its own this `fetch` would use Node's global one.
  const dispatcher = new Agent({ connect: tls });
  t.after(() => dispatcher.destroy());
  return new OpenAI({
    baseURL: server.baseUrl,
    apiKey: 'test',
    maxRetries: 0,
    fetch: undiciFetch as never,
    fetchOptions: { dispatcher } as never,
  });
}

/** What a caller of the `openai` client gets: the pieces of text, then how it ended, as the codes along the cause chain. */
export async function askClient(
  client: OpenAI,
  onPiece: (piece: string) => void = () => {},
): Promise<{ pieces: string[]; ended: string[] }> {
  const pieces: string[] = [];
  try {
    const stream = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true });
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta.content;
      if (typeof piece !== 'string' || piece === '') continue;
      pieces.push(piece);
      onPiece(piece);
    }
    return { pieces, ended: ['normally'] };
  } catch (error) {
    return { pieces, ended: causesOf(error) };
  }
}

export function causesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return [code ?? `${error.constructor.name}: ${error.message}`, ...causesOf(error.cause)];
}

/** Shared by the tests of the providers: a provider in front of a model server, and the result of one stream. */
import type { TestContext } from 'node:test';
import type { Item } from '../../src/domain/item.ts';
import { type ModelEvent, type ModelFailure, type ModelRequest, startsStep } from '../../src/domain/model.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { createProvider, type ProviderOptions } from '../../src/providers/create-provider.ts';
import { SseReader } from '../../src/providers/http/sse.ts';
import { ChatParser } from '../../src/providers/openai/chat-parser.ts';
import { ResponsesParser } from '../../src/providers/openai/responses-parser.ts';
import type { StreamParser } from '../../src/providers/openai/stream-parser.ts';
import { type Provider, ProviderError } from '../../src/providers/provider.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../../src/testing/model-server/index.ts';

export type Api = ProviderOptions['api'];
export const apis = ['chat', 'responses'] as const;
export const limits = { connectTimeoutMs: 2_000, firstEventTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

export const settings: ResponseSettings = defaultSettings('scripted');

export function messageItem(role: 'user' | 'assistant' | 'developer', text: string): Item {
  return { id: `msg_${text}`, type: 'message', status: 'completed', role, content: [{ type: 'input_text', text }] };
}

export const helloRequest: ModelRequest = { settings, items: [messageItem('user', 'Hello?')] };
export const neverAborted = new AbortController().signal;

export interface StreamResult {
  readonly text: string;
  readonly hasStarted: boolean;
  readonly finishes: number;
  readonly events: readonly ModelEvent[];
  readonly failure: ModelFailure | undefined;
  /** What was thrown, unless it was a `ProviderError`. */
  readonly thrown: unknown;
}

/** Reads a stream to its end, or to its error. */
export async function collect(
  stream: AsyncIterable<ModelEvent>,
  onEvent: (event: ModelEvent) => Promise<void> | void = () => {},
): Promise<StreamResult> {
  const events: ModelEvent[] = [];
  let failure: ModelFailure | undefined;
  let thrown: unknown;
  try {
    for await (const event of stream) {
      events.push(event);
      await onEvent(event);
    }
  } catch (error) {
    if (error instanceof ProviderError) failure = error.failure;
    else thrown = error;
  }
  return resultOf(events, failure, thrown);
}

export function resultOf(events: readonly ModelEvent[], failure: ModelFailure | undefined, thrown: unknown): StreamResult {
  const deltas = events.flatMap((event) => (event.type === 'delta' ? [event.delta] : []));
  return {
    text: deltas.map(({ text }) => text).join(''),
    hasStarted: deltas.some(startsStep),
    // One that content follows was none.
    finishes: events.filter(({ type }, at) => type === 'finish' && !events.slice(at).some((later) => later.type === 'delta')).length,
    events,
    failure,
    thrown,
  };
}

/** `finished`, or the code of the failure. */
export function outcomeOf({ failure, thrown, finishes }: StreamResult): string {
  if (thrown !== undefined) return `thrown ${thrown instanceof Error ? thrown.message : JSON.stringify(thrown)}`;
  return failure?.code ?? (finishes === 1 ? 'finished' : `${finishes} finishes`);
}

export async function serverFor(t: TestContext, options?: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(options);
  t.after(() => server.close());
  return server;
}

export function providerFor(t: TestContext, api: Api, baseUrl: string, options: Partial<ProviderOptions> = {}): Provider {
  const provider = createProvider({ api, baseUrl, limits, ...options });
  t.after(() => provider.close());
  return provider;
}

export function parserOf(api: Api): StreamParser {
  return api === 'chat' ? new ChatParser() : new ResponsesParser();
}

/** Parses the chunks of a body that ends properly behind them, without a network. */
export function readBytes(api: Api, chunks: readonly Uint8Array[]): StreamResult {
  const parser = parserOf(api);
  const events: ModelEvent[] = [];
  let failure: ModelFailure | undefined;
  try {
    const sse = new SseReader((event) => {
      if (!parser.isOver) parser.read(event, events);
    });
    for (const chunk of chunks) sse.push(chunk);
    if (!parser.isOver) sse.end();
    parser.end(true, events);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    failure = error.failure;
  }
  if (parser.usage !== undefined) events.push({ type: 'usage', usage: parser.usage });
  return resultOf(events, failure, undefined);
}

/** Parses events given as JSON, or as text. */
export function readEvents(api: Api, ...events: readonly unknown[]): StreamResult {
  const lines = events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  return readBytes(api, [new TextEncoder().encode(lines.join(''))]);
}

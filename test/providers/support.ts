/** What the tests of this room share: a provider on a model server, and what became of one request. */
import type { TestContext } from 'node:test';
import { type ModelEvent, type ModelFailure, type ModelRequest, startsStep } from '../../src/domain/model.ts';
import type { Item } from '../../src/domain/item.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response-settings.ts';
import type { StreamParser } from '../../src/providers/openai/stream-parser.ts';
import { createProvider, type ProviderOptions } from '../../src/providers/create-provider.ts';
import { ChatAnswer } from '../../src/providers/openai/chat-parser.ts';
import { ResponsesAnswer } from '../../src/providers/openai/responses-parser.ts';
import { type Provider, ProviderError } from '../../src/providers/provider.ts';
import { SseReader } from '../../src/providers/http/sse.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from '../../src/testing/model-server/index.ts';

export type Api = ProviderOptions['api'];
export const apis = ['chat', 'responses'] as const;
export const limits = { connectTimeoutMs: 2_000, firstEventTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

export const settings: ResponseSettings = defaultSettings('scripted');

export function says(role: 'user' | 'assistant' | 'developer', text: string): Item {
  return { id: `msg_${text}`, type: 'message', status: 'completed', role, content: [{ type: 'input_text', text }] };
}

export const hello: ModelRequest = { settings, items: [says('user', 'Hello?')] };
export const never = new AbortController().signal;

export interface Seen {
  readonly text: string;
  readonly hasStarted: boolean;
  readonly proofs: number;
  readonly events: readonly ModelEvent[];
  readonly failure: ModelFailure | undefined;
  /** What was thrown, if that was no `ProviderError`. */
  readonly thrown: unknown;
}

/** Follows a stream to its end, whatever that is. */
export async function follow(
  stream: AsyncIterable<ModelEvent>,
  onEvent: (event: ModelEvent) => Promise<void> | void = () => {},
): Promise<Seen> {
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
  return seen(events, failure, thrown);
}

export function seen(events: readonly ModelEvent[], failure: ModelFailure | undefined, thrown: unknown): Seen {
  const deltas = events.flatMap((event) => (event.type === 'delta' ? [event.delta] : []));
  return {
    text: deltas.map(({ text }) => text).join(''),
    hasStarted: deltas.some(startsStep),
    proofs: events.filter(({ type }) => type === 'proof').length,
    events,
    failure,
    thrown,
  };
}

/** How it ended, in one word. */
export function endOf({ failure, thrown, proofs }: Seen): string {
  if (thrown !== undefined) return `thrown ${thrown instanceof Error ? thrown.message : JSON.stringify(thrown)}`;
  return failure?.code ?? (proofs === 1 ? 'proved' : `${proofs} proofs`);
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

export function answerOf(api: Api): StreamParser {
  return api === 'chat' ? new ChatAnswer() : new ResponsesAnswer();
}

/** Reads the chunks of a body without any wire. */
export function readBytes(api: Api, chunks: readonly Uint8Array[]): Seen {
  const answer = answerOf(api);
  const events: ModelEvent[] = [];
  let failure: ModelFailure | undefined;
  try {
    const sse = new SseReader((event) => {
      if (!answer.isOver) answer.read(event, events);
    });
    for (const chunk of chunks) sse.push(chunk);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    failure = error.failure;
  }
  if (answer.usage !== undefined) events.push({ type: 'usage', usage: answer.usage });
  return seen(events, failure, undefined);
}

/** Reads events given as JSON. */
export function readEvents(api: Api, ...events: readonly unknown[]): Seen {
  const frames = events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  return readBytes(api, [new TextEncoder().encode(frames.join(''))]);
}

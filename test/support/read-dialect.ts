/** A shape read by the product's own parsers and turned into events, without a socket: quick enough for thousands of variants. */
import { encryptedReasoning, fullMessageOf, type ModelFailure } from '../../src/domain/model.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { newResponse, type Usage } from '../../src/domain/response/response.ts';
import type { TurnOutcome } from '../../src/domain/turn/turn-outcome.ts';
import { ResponseBody } from '../../src/providers/http/body.ts';
import { type Connection, HttpStatusError } from '../../src/providers/http/connection.ts';
import { streamResponse } from '../../src/providers/openai/stream-response.ts';
import { ProviderError } from '../../src/providers/provider.ts';
import { takersOfText } from '../../src/providers/openai/call-arguments.ts';
import { ChatParser } from '../../src/providers/openai/chat-parser.ts';
import { CallNames } from '../../src/providers/openai/chat-tools.ts';
import { translatedCalls } from '../../src/providers/openai/translated-calls.ts';
import { limits, neverAborted, parserOf, settings } from '../providers/support.ts';
import { customTools, headersOf, type Shape } from './dialects.ts';
import type { SeenEvent } from './viewer.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings, session: null, previous: null });

export interface ReadShape {
  /** As a viewer gets them. */
  readonly events: readonly SeenEvent[];
  readonly failure: ModelFailure | undefined;
}

/** What is read of a shape beside its body. */
type ReadableShape = Pick<Shape, 'api' | 'status' | 'headers' | 'ends' | 'ask'>;

/**
 * @param chunks of the body, in place of the shape's own frames.
 * @throws what the parsers throw, unless it is a `ProviderError`
 */
export async function readShape(shape: ReadableShape, chunks: readonly Uint8Array[]): Promise<ReadShape> {
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  const { include } = (shape.ask ?? {}) as { readonly include?: readonly string[] };
  stream.sealsFields = include?.includes(encryptedReasoning) === true;
  const events: ResponseEvent[] = [...opening, ...stream.begin()];
  let usage: Usage | null = null;
  let outcome: TurnOutcome | undefined;
  let failure: ModelFailure | undefined;
  const custom = shape.api === 'chat' ? customTools(shape) : [];
  const names = new CallNames(custom.map((name) => ({ type: 'custom', name, description: null })));
  try {
    const answer = streamResponse({
      parser:
        custom.length === 0 ? parserOf(shape.api) : new ChatParser(names.all, names.functions, undefined, takersOfText(names, undefined)),
      connection: connectionOf(shape, chunks),
      request: () => Promise.resolve({ method: 'POST', url: new URL('http://127.0.0.1/v1'), headers: {} }),
      limits,
      signal: neverAborted,
      callbacks: {
        onUsage: (reported) => {
          usage = reported;
        },
      },
      apiKey: 'none',
    });
    for await (const event of custom.length === 0 ? answer : translatedCalls(answer, names)) {
      if (event.type === 'delta') {
        // A finish with content behind it is none, as in an attempt.
        if (event.delta.text !== '') outcome = undefined;
        events.push(...stream.write(event.delta));
      } else if (event.type === 'usage') usage = event.usage;
      else if (event.type === 'finish') {
        const { status, reason = 'max_output_tokens' } = event.finish;
        outcome = status === 'completed' ? { status, usage } : { status, reason, usage };
      }
    }
    if (outcome === undefined) throw new Error('the stream ended without a finish, and without an error');
    outcome = { ...outcome, usage };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    failure = error.failure;
    outcome = { status: 'failed', failure: { code: failure.code, message: fullMessageOf(failure) }, usage };
  }
  events.push(...stream.end(outcome, 9_000));
  return { events: events.map((event) => JSON.parse(JSON.stringify(event)) as SeenEvent), failure };
}

function connectionOf(shape: ReadableShape, chunks: readonly Uint8Array[]): Connection {
  return {
    send: () => {
      const body = new ResponseBody();
      for (const chunk of chunks) if (chunk.length > 0) body.push(chunk);
      body.finish(shape.ends === undefined ? undefined : Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      const status = shape.status ?? 200;
      const incoming = { status, headers: new Headers(headersOf(shape)), body };
      return status < 300 ? Promise.resolve(incoming) : Promise.reject(new HttpStatusError(incoming));
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Sends one request and tells its answer: the loop both dialects share, and the one place where trouble becomes a
 * `ProviderError`.
 */
import type { ModelEvent, ModelFailure } from '../domain/model.ts';
import type { Answer } from './answer.ts';
import { Call } from './call.ts';
import { failureOfTransport } from './classify.ts';
import { RefusedAnswer } from './connection.ts';
import { parsedOrUndefined } from './json.ts';
import { modelFailure, withoutKeys } from './model-failure.ts';
import { type ProviderCallNotes, ProviderError, type ProviderLimits } from './provider.ts';
import { notThisApi, SseReader } from './sse.ts';
import { statedError } from './stated-error.ts';
import { failureOfStatus } from './status-failure.ts';

export interface Ask {
  /** Sends the one request. */
  readonly send: (signal: AbortSignal) => Promise<Response>;
  readonly answer: Answer;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
  readonly notes: ProviderCallNotes;
  /** Removed from what the provider says. */
  readonly apiKey: string;
}

export async function* streamAnswer(ask: Ask): AsyncGenerator<ModelEvent, void, undefined> {
  const { answer, signal } = ask;
  using call = new Call(ask.limits, signal);
  try {
    const response = await ask.send(call.signal);
    noteRequestId(response.headers, ask.notes);
    const reader = call.readerOf(await eventStreamOf(response, call));
    const events: ModelEvent[] = [];
    const sse = new SseReader((event) => {
      if (!answer.isOver) answer.read(event, events);
    });
    while (!answer.isOver) {
      const { done, value } = await reader.read();
      if (done) break;
      let trouble: unknown;
      try {
        sse.push(value);
      } catch (error) {
        // After what came before it has been told.
        trouble = error;
      }
      if (events.length > 0) {
        call.deadlines.hold();
        for (const event of events) {
          yield event;
          signal.throwIfAborted();
        }
        events.length = 0;
        call.deadlines.expect(answer.hasProof ? 'usage' : 'next_event');
      }
      if (trouble !== undefined) throw trouble;
    }
    if (!answer.hasProof) throw new ProviderError(endedWithoutProof(answer, sse));
  } catch (error) {
    // What a cancel is, the caller's own signal alone decides; and it may come while the body of an error is read.
    const failure = signal.aborted ? undefined : await failureOf(error, ask, call);
    signal.throwIfAborted();
    if (!answer.hasProof && failure !== undefined) throw new ProviderError(failure);
  }
  signal.throwIfAborted();
  call.leave();
  if (answer.usage !== undefined) yield { type: 'usage', usage: answer.usage };
}

/** What to tell of an error. Without an `answer`: nothing of it has been shown. */
export async function failureOf(error: unknown, { answer, notes, apiKey }: Pick<Ask, 'notes' | 'apiKey'> & { readonly answer?: Answer }, call: Call): Promise<ModelFailure> {
  const hasStarted = answer?.hasStarted ?? false;
  const failure = await classified(error, hasStarted, notes, call);
  const final = hasStarted && failure.busy !== undefined ? { ...failure, busy: { ...failure.busy, final: true } } : failure;
  return withoutKeys(final, apiKey);
}

async function classified(error: unknown, hasStarted: boolean, notes: ProviderCallNotes, call: Call): Promise<ModelFailure> {
  const { passed } = call.deadlines;
  if (passed !== undefined) return modelFailure('model_timeout', { detail: passed });
  if (error instanceof ProviderError) return error.failure;
  const refused = refusalIn(error);
  if (refused === undefined) return failureOfTransport(error, hasStarted);
  noteRequestId(refused.headers, notes);
  const bodyText = await call.errorText(refused);
  return failureOfStatus({ status: refused.status, headers: refused.headers, bodyText, nowMs: Date.now() });
}

/** The clients between us and `fetch` wrap what it throws. */
function refusalIn(error: unknown): RefusedAnswer | undefined {
  let link = error;
  for (let depth = 0; depth < 10 && link instanceof Error; depth += 1) {
    if (link instanceof RefusedAnswer) return link;
    link = link.cause;
  }
  return undefined;
}

async function eventStreamOf(response: Response, call: Call): Promise<ReadableStream<Uint8Array>> {
  const [mediaType = ''] = (response.headers.get('content-type') ?? '').toLowerCase().split(';');
  const isJson = /[/+]json$/.test(mediaType.trim());
  if (response.body === null) throw notThisApi('no_body');
  if (!isJson && mediaType.trim() !== 'text/html') return response.body;
  // Gateways report errors so; that it is none of the API's stands.
  const body = await call.errorText(response);
  throw notThisApi(isJson ? 'json' : 'html', isJson ? statedError(parsedOrUndefined(body)).message : undefined);
}

function endedWithoutProof({ hasStarted }: Answer, { isGarbage }: SseReader): ModelFailure {
  if (hasStarted) return modelFailure('stream_truncated', { detail: 'end_of_stream' });
  return isGarbage ? notThisApi('no_event_stream').failure : modelFailure('transport_failed', { detail: 'end_of_stream' });
}

function noteRequestId(headers: Headers, notes: ProviderCallNotes): void {
  const id = headers.get('x-request-id');
  if (id !== null && id !== '') notes.onRequestId?.(id.slice(0, 200));
}

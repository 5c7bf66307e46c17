/**
 * Sends one request and tells its answer: the loop both dialects share, and the one place where trouble becomes a
 * `ProviderError`.
 */
import { type ModelEvent, type ModelFailure, startsStep } from '../../domain/model.ts';
import type { Usage } from '../../domain/response.ts';
import type { StreamParser } from './stream-parser.ts';
import { Call } from '../http/exchange.ts';
import { failureOfTransport, linkOf } from '../failures/transport-failure.ts';
import { RefusedAnswer } from '../http/connection.ts';
import { parsedOrUndefined } from '../json.ts';
import { modelFailure, withoutKeys } from '../failures/model-failure.ts';
import { type ProviderCallNotes, ProviderError, type ProviderLimits } from '../provider.ts';
import { notThisApi, SseReader } from '../http/sse.ts';
import { statedError } from '../failures/error-body.ts';
import { failureOfStatus } from '../failures/status-failure.ts';
import type { WireBody } from '../http/body.ts';

export interface Ask {
  /** Sends the one request. */
  readonly send: (signal: AbortSignal) => Promise<{ readonly headers: Headers; readonly body: WireBody }>;
  readonly answer: StreamParser;
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
    const { headers, body } = await ask.send(call.signal);
    call.answered(body);
    noteRequestId(headers, ask.notes);
    await demandEventStream(headers, body, call);
    const events: ModelEvent[] = [];
    let told: Usage | undefined;
    const sse = new SseReader((event) => {
      if (!answer.isOver) answer.read(event, events);
    });
    while (!answer.isOver) {
      const bytes = body.take();
      if (bytes === undefined) {
        if (await body.hasMore()) continue;
        break;
      }
      let trouble: unknown;
      try {
        sse.push(bytes);
      } catch (error) {
        // After what came before it has been told.
        trouble = error;
      }
      told = tellUsage(answer, told, ask.notes);
      if (events.length > 0) {
        const isAwaited = events.some(endsTheWait);
        if (isAwaited) call.deadlines.hold();
        for (const event of events) {
          yield event;
          signal.throwIfAborted();
        }
        events.length = 0;
        if (isAwaited) call.deadlines.expect(answer.hasProof ? 'usage' : 'next_event');
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
export async function failureOf(
  error: unknown,
  { answer, notes, apiKey }: Pick<Ask, 'notes' | 'apiKey'> & { readonly answer?: StreamParser },
  call: Call,
): Promise<ModelFailure> {
  const hasStarted = answer?.hasStarted ?? false;
  const failure = await classified(error, hasStarted, notes, call);
  const final = hasStarted && failure.busy !== undefined ? { ...failure, busy: { ...failure.busy, final: true } } : failure;
  return withoutKeys(final, apiKey);
}

async function classified(error: unknown, hasStarted: boolean, notes: ProviderCallNotes, call: Call): Promise<ModelFailure> {
  const { passed } = call.deadlines;
  if (passed !== undefined) return modelFailure('model_timeout', { detail: passed });
  if (error instanceof ProviderError) return error.failure;
  const refused = linkOf(error, (link) => link instanceof RefusedAnswer);
  if (refused === undefined) return failureOfTransport(error, hasStarted);
  noteRequestId(refused.headers, notes);
  const bodyText = isPacked(refused.headers) ? '' : await call.errorText(refused.body);
  return failureOfStatus({ status: refused.status, headers: refused.headers, bodyText, nowMs: Date.now() });
}

/** A server that does not say what it sends is judged by what it sends. */
async function demandEventStream(headers: Headers, body: WireBody, call: Call): Promise<void> {
  const mediaType = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (/[/+]json$/.test(mediaType)) {
    // Gateways report errors so. What it says is kept; that it is none of the API's stands.
    throw notThisApi('json', statedError(parsedOrUndefined(await call.errorText(body))).message);
  }
  if (mediaType === 'text/html') throw notThisApi('html');
  if (isPacked(headers)) throw notThisApi('content_encoding');
}

/** We asked for plain bytes. */
function isPacked(headers: Headers): boolean {
  return (headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity';
}

function endedWithoutProof({ hasStarted, isForeign }: StreamParser, { isGarbage }: SseReader): ModelFailure {
  if (hasStarted) return modelFailure('stream_truncated', { detail: 'end_of_stream' });
  return isGarbage || isForeign ? notThisApi('no_event_stream').failure : modelFailure('transport_failed', { detail: 'end_of_stream' });
}

/** What shows nothing resets no deadline. */
function endsTheWait(event: ModelEvent): boolean {
  return event.type !== 'delta' || startsStep(event.delta);
}

function tellUsage({ usage }: StreamParser, told: Usage | undefined, notes: ProviderCallNotes): Usage | undefined {
  if (usage !== undefined && usage !== told) notes.onUsage?.(usage);
  return usage;
}

function noteRequestId(headers: Headers, notes: ProviderCallNotes): void {
  const id = headers.get('x-request-id');
  if (id !== null && id !== '') notes.onRequestId?.(id.slice(0, 200));
}

/**
 * Sends one request and yields the events of its response: the loop that both APIs share, and the place where every
 * error of a request becomes a `ProviderError`.
 */
import { type ModelEvent, type ModelFailure, startsStep } from '../../domain/model.ts';
import type { Usage } from '../../domain/response/response.ts';
import { adviceOn } from '../failures/advice.ts';
import { failureOfStreamError, failureOfWords, readErrorBody, statesError } from '../failures/error-body.ts';
import { causesOf } from '../failures/cause-chain.ts';
import { datedFailure, modelFailure, protocolError, redactKeys } from '../failures/model-failure.ts';
import { failureOfStatus } from '../failures/status-failure.ts';
import { failureOfTransport, findCause } from '../failures/transport-failure.ts';
import type { ResponseBody } from '../http/body.ts';
import { type Connection, HttpStatusError, type OutgoingRequest } from '../http/connection.ts';
import { HttpExchange } from '../http/exchange.ts';
import { ExchangeTap } from '../http/exchange-tap.ts';
import { JsonDocumentError, SseReader } from '../http/sse.ts';
import { asArray, asRecord, parseJson } from '../json.ts';
import { type ProviderCallbacks, ProviderError, type ProviderLimits } from '../provider.ts';
import type { StreamParser } from './stream-parser.ts';

export interface StreamResponseOptions {
  readonly connection: Connection;
  /** Makes the one request. What it throws, and what `callbacks.beforeSend` throws, is no failure of the provider's, and passes as it is. */
  readonly request: () => Promise<Omit<OutgoingRequest, 'signal' | 'maySend'>>;
  readonly parser: StreamParser;
  readonly limits: ProviderLimits;
  readonly signal: AbortSignal;
  readonly callbacks: ProviderCallbacks;
  /** Removed from the provider's error messages. */
  readonly apiKey: string;
  /** Called before the failure is thrown. */
  readonly onFailure?: (failure: ModelFailure) => void;
}

/** Throws as `Provider.stream` does. */
export async function* streamResponse(options: StreamResponseOptions): AsyncGenerator<ModelEvent, void, undefined> {
  const { parser, limits, signal, callbacks, apiKey } = options;
  const request = withTraceparent(await options.request(), callbacks);
  await callbacks.beforeSend?.();
  using exchange = new HttpExchange(limits, signal, options.connection.deadlines);
  const tap = new ExchangeTap({ wire: callbacks.wire, exchange, signal, apiKey });
  let hasStarted = false;
  let isAtEnd = false;
  let mediaType = '';
  let sse: SseReader | undefined;
  const events: ModelEvent[] = [];
  try {
    const maySend = (): boolean => {
      if (callbacks.maySend?.() === false) return false;
      callbacks.onPhase?.('sent');
      return true;
    };
    const { headers, body } = await tap.send(options.connection, { ...request, signal: exchange.signal, maySend });
    callbacks.onPhase?.('headers');
    exchange.attachBody(body);
    reportRequestId(headers, callbacks);
    if (isCompressed(headers)) throw protocolError('content_encoding');
    mediaType = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
    let reportedUsage: Usage | undefined;
    sse = new SseReader((event) => {
      if (!parser.isOver) parser.read(event, events);
    }, limits.maxOutputBytes);
    while (!parser.isOver) {
      const bytes = body.take();
      if (bytes === undefined) {
        if (await tap.hasMore(body)) continue;
        break;
      }
      let readError: unknown;
      try {
        sse.push(bytes);
      } catch (error) {
        // Thrown below, after the events that came before it have been yielded.
        readError = error instanceof JsonDocumentError ? await failureOfDocument(error, body, exchange) : error;
      }
      hasStarted ||= events.some(isStart);
      reportedUsage = reportUsage(parser, reportedUsage, callbacks);
      const isProgress = parser.takeProgress() || events.some(resetsDeadline);
      if (isProgress) exchange.deadlines.pause();
      if (events.length > 0) {
        for (const event of events) {
          yield event;
          signal.throwIfAborted();
        }
        events.length = 0;
      }
      // Also where nothing is shown: a call that is held back may follow the finish.
      const wasAtEnd: boolean = isAtEnd;
      isAtEnd = parser.isStated;
      if (isProgress || isAtEnd !== wasAtEnd) exchange.deadlines.restart(isAtEnd ? 'usage' : 'next_event');
      if (readError !== undefined) throw readError;
    }
    // A body that the caller's signal or our own deadline has closed seems to have ended.
    signal.throwIfAborted();
    if (exchange.deadlines.expired !== undefined) throw new Error('the deadline has closed the body');
    if (!parser.isOver) sse.end();
    parser.end(true, events);
    hasStarted ||= events.some(isStart);
    reportUsage(parser, reportedUsage, callbacks);
    if (!parser.hasFinish) throw new ProviderError(failureOfEarlyEnd(hasStarted, parser, sse));
  } catch (error) {
    let cause = error;
    let isUnproven = false;
    try {
      // What came whole has been said, also where the connection broke before the empty line behind it.
      if (!signal.aborted && !(error instanceof ProviderError) && !parser.isOver) sse?.end();
      if (!signal.aborted) parser.end(false, events);
      else if (events.length === 0) parser.release(events);
      // Given up in the middle of them: some have been yielded, and none may be left out between two.
      else events.length = 0;
    } catch (unproven) {
      cause = unproven;
      isUnproven = true;
    }
    hasStarted ||= events.some(isStart);
    // Only the caller's own signal tells a cancel from a failure, and it may abort while an error's body is read.
    const failed = { url: request.url, exchange, callbacks, apiKey, hasStarted, mediaType, isUnproven };
    const failure = signal.aborted ? undefined : await toModelFailure(cause, failed);
    if (signal.aborted) {
      // A call that was held back has started the step: it is shown before the reason is told.
      yield* events;
      signal.throwIfAborted();
    }
    if (!parser.hasFinish && failure !== undefined) {
      yield* events;
      signal.throwIfAborted();
      options.onFailure?.(failure);
      throw new ProviderError(failure);
    }
  } finally {
    tap.leave();
  }
  signal.throwIfAborted();
  exchange.releaseBody();
  yield* events;
  if (parser.serviceTier !== undefined) yield { type: 'service_tier', serviceTier: parser.serviceTier };
  if (parser.usage !== undefined) yield { type: 'usage', usage: parser.usage };
}

interface FailedExchange {
  /** What was asked. */
  readonly url: URL;
  readonly exchange: HttpExchange;
  readonly callbacks: ProviderCallbacks;
  readonly apiKey: string;
  /** Whether the response had started its step. */
  readonly hasStarted: boolean;
  /** Of the response, in lower case; empty before there is one. */
  readonly mediaType?: string;
  /** Whether the provider had stated the end of an answer that is not whole: then it does not matter what ended the connection. */
  readonly isUnproven?: boolean;
}

/** Classifies whatever was thrown while a request was sent or its response was read. Keys are removed. */
export async function toModelFailure(error: unknown, failed: FailedExchange): Promise<ModelFailure> {
  const nowMs = failed.callbacks.now?.() ?? Date.now();
  const failure = datedFailure(await classify(error, failed, nowMs), nowMs);
  const advice = adviceOn(failure, failed.url);
  const causes = failure.code === 'model_timeout' || error instanceof ProviderError ? [] : causesOf(error);
  return redactKeys({ ...failure, causes, ...(advice === undefined ? {} : { advice }) }, failed.apiKey);
}

async function classify(
  error: unknown,
  { exchange, callbacks, hasStarted, mediaType, isUnproven }: FailedExchange,
  nowMs: number,
): Promise<ModelFailure> {
  const { expired } = exchange.deadlines;
  if (expired !== undefined && !isUnproven) return modelFailure('model_timeout', { detail: expired });
  if (error instanceof ProviderError)
    return error.failure.detail === 'no_event_stream' ? foreignFailure(error.failure, mediaType) : error.failure;
  const statusError = findCause(error, (cause) => cause instanceof HttpStatusError);
  if (statusError === undefined) return failureOfTransport(error, hasStarted);
  const { status, headers, body } = statusError;
  callbacks.onPhase?.('headers');
  reportRequestId(headers, callbacks);
  const bodyText = isCompressed(headers) ? '' : await exchange.readErrorText(body);
  return failureOfStatus({ status, headers, bodyText, nowMs });
}

/** What came is no event stream: said by the content type, if it says so. The content of a response is looked at whatever its type. */
function foreignFailure(failure: ModelFailure, mediaType = ''): ModelFailure {
  const detail = mediaType === 'text/html' ? 'html' : /[/+]json$/.test(mediaType) ? 'json' : undefined;
  return detail === undefined ? failure : protocolError(detail, failure.providerMessage).failure;
}

/** The failure of a JSON document with status 2xx: the error that it states, in whatever form, else `provider_protocol`. */
async function failureOfDocument({ beginning }: JsonDocumentError, body: ResponseBody, exchange: HttpExchange): Promise<ProviderError> {
  const text = beginning + (await exchange.readErrorText(body));
  // Its first line may be all of it, with something else behind.
  const json = parseJson(text) ?? parseJson(text.trimStart().split(/[\r\n]/, 1)[0] ?? '');
  const stated = asRecord(json) ?? asRecord(asArray(json)[0]);
  const error = readErrorBody(stated);
  if (stated !== undefined && statesError(stated)) return new ProviderError(failureOfStreamError(error));
  return protocolError('no_event_stream', error.message);
}

/** Although the request accepted only `identity`. */
function withTraceparent<Request extends Pick<OutgoingRequest, 'headers'>>(request: Request, { traceparent }: ProviderCallbacks): Request {
  return traceparent === undefined ? request : { ...request, headers: { ...request.headers, traceparent } };
}

function isCompressed(headers: Headers): boolean {
  return (headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity';
}

/** The failure of a stream that ended properly but without a finish: what it says in plain words, if it does. */
function failureOfEarlyEnd(hasStarted: boolean, { isForeign }: StreamParser, { isNoEventStream, strayWords }: SseReader): ModelFailure {
  const known = failureOfWords(strayWords);
  if (known !== undefined) return known;
  const said = strayWords === '' ? undefined : strayWords;
  if (hasStarted) return modelFailure('stream_truncated', { detail: 'end_of_stream', providerMessage: said });
  if (isNoEventStream || isForeign) return protocolError('no_event_stream', said).failure;
  if (said !== undefined) return modelFailure('provider_rejected', { detail: 'stated_in_words', providerMessage: said });
  return modelFailure('transport_failed', { detail: 'end_of_stream' });
}

function isStart(event: ModelEvent): boolean {
  return event.type === 'delta' && startsStep(event.delta);
}

function resetsDeadline(event: ModelEvent): boolean {
  return event.type !== 'delta' || isStart(event);
}

/** Calls `onUsage` if the parser has read new usage; returns what is reported by now. */
function reportUsage({ usage }: StreamParser, reported: Usage | undefined, callbacks: ProviderCallbacks): Usage | undefined {
  if (usage !== undefined && usage !== reported) callbacks.onUsage?.(usage);
  return usage;
}

function reportRequestId(headers: Headers, callbacks: ProviderCallbacks): void {
  const id = headers.get('x-request-id');
  if (id !== null && id !== '') callbacks.onRequestId?.(id.slice(0, 200));
}

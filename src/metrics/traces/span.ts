/** A span of a trace, as it is exported once it is over. */
import { createHash } from 'node:crypto';

export type AttributeValue = string | number | boolean | readonly string[];
export type SpanAttributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface TraceSpan {
  readonly name: string;
  /** `server`: it answers a request; `client`: it makes one. */
  readonly kind: 'internal' | 'server' | 'client';
  /** In hex, 32 digits. */
  readonly traceId: string;
  /** In hex, 16 digits. */
  readonly spanId: string;
  readonly parentId?: string | undefined;
  /** ms since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanLink[];
  /** What went wrong; absent: nothing did. */
  readonly error?: string | undefined;
}

export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes?: SpanAttributes;
}

export interface SpanPlace {
  readonly traceId: string;
  readonly spanId: string;
}

export interface SpanLink extends SpanPlace {
  /** What the other span is to this one. `turn`: what the request is about. */
  readonly relation: 'previous' | 'parent' | 'child' | 'turn';
}

/** Which turn a trace is of: the id that its tenant knows. */
export interface TracedTurn {
  readonly tenant: string;
  readonly publicId: string;
}

/**
 * The trace of a turn, and its first span. They follow from its id, so that whoever has a part in the turn, in whatever process
 * and however much later, writes to the one trace of it, and nothing has to be handed on.
 */
export function placeOf(turn: TracedTurn): SpanPlace {
  return { traceId: hexOf(turn, 'trace').slice(0, 32), spanId: spanIdOf(turn, 'turn') };
}

/** A request to the model, or a run of a call (1-based, as requests are). */
export type TracedPart = { readonly step: number; readonly attempt: number } | { readonly call: number; readonly run: number };

/** Its span, which is recorded once the turn has its end. */
export function spanIdOfPart(turn: TracedTurn, part: TracedPart): string {
  return spanIdOf(turn, 'call' in part ? `call ${part.call} run ${part.run}` : `step ${part.step} request ${part.attempt}`);
}

/** The place as the header `traceparent` names it (W3C Trace Context). */
export function headerOf({ traceId, spanId }: SpanPlace, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** @param part of the turn, such as `step 2` */
export function spanIdOf(turn: TracedTurn, part: string): string {
  return hexOf(turn, part).slice(0, 16);
}

function hexOf({ tenant, publicId }: TracedTurn, part: string): string {
  return createHash('sha256').update(`${tenant}\n${publicId}\n${part}`).digest('hex');
}

/** The place that a `traceparent` header names (W3C Trace Context); undefined: it names none, or is not to be recorded. */
export function placeOfHeader(traceparent: string | undefined): SpanPlace | undefined {
  const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return (Number.parseInt(flags ?? '0', 16) & 1) === 0 ? undefined : { traceId, spanId };
}

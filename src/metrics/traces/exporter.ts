/**
 * Sends spans to a collector, in the background, in batches, as OpenTelemetry's SDK does: by OTLP over HTTP, where and how the
 * `OTEL_EXPORTER_OTLP_*` and `OTEL_BSP_*` variables say. A collector that is away costs spans, and nothing else.
 */
import {
  type Attributes,
  type HrTime,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type ReadableSpan,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { SpanAttributes, SpanPlace, TraceSpan } from './span.ts';

export interface Tracer {
  /** Also what was said is in the spans. */
  readonly hasContent: boolean;
  /** Never waits, and never throws. */
  record(spans: readonly TraceSpan[]): void;
  /** Resolves once what was recorded is sent, or cannot be. */
  close(): Promise<void>;
}

export interface TracerOptions {
  readonly version: string;
  readonly hasContent: boolean;
  /** Of all traces, which part is kept: 0 to 1. */
  readonly ratio: number;
  /** Instead of OTLP. */
  readonly exporter?: SpanExporter;
}

export function createTracer({ version, hasContent, ratio, exporter = new OTLPTraceExporter() }: TracerOptions): Tracer {
  const own = resourceFromAttributes({ 'service.name': 'turnkeep', 'service.version': version });
  const resource = defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
  const processor = new BatchSpanProcessor({ exporter });
  const sampler = ratio >= 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio);
  const scope = { name: 'turnkeep', version };
  return {
    hasContent,
    record: (spans) => {
      for (const span of spans) {
        // Decided by the id of the trace alone: of a turn all is kept or nothing, whichever process recorded it.
        const { decision } = sampler.shouldSample(ROOT_CONTEXT, span.traceId);
        if (decision === SamplingDecision.RECORD_AND_SAMPLED) processor.onEnd(readable(span, { resource, scope }));
      }
    },
    close: async () => {
      await processor.shutdown().catch(() => undefined);
    },
  };
}

const kinds = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT };

function readable(
  span: TraceSpan,
  { resource, scope }: { readonly resource: Resource; readonly scope: ReadableSpan['instrumentationScope'] },
): ReadableSpan {
  const { name, kind, traceId, spanId, parentId, startMs, endMs, attributes, events = [], links = [], error } = span;
  const context = contextOf({ traceId, spanId });
  return {
    name,
    kind: kinds[kind],
    spanContext: () => context,
    ...(parentId === undefined ? {} : { parentSpanContext: contextOf({ traceId, spanId: parentId }) }),
    startTime: timeOf(startMs),
    endTime: timeOf(Math.max(startMs, endMs)),
    duration: timeOf(Math.max(0, endMs - startMs)),
    status: error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
    attributes: known(attributes),
    links: links.map((place): Link => ({ context: contextOf(place) })),
    events: events.map((event) => ({
      name: event.name,
      time: timeOf(event.atMs),
      attributes: known(event.attributes ?? {}),
      droppedAttributesCount: 0,
    })),
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function contextOf({ traceId, spanId }: SpanPlace): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

/** Seconds and nanoseconds. */
function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}

function known(attributes: SpanAttributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'object' ? [...value] : value]],
    ),
  );
}

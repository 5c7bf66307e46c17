/**
 * Sends spans to a collector, in the background, in batches, as OpenTelemetry's SDK does: by OTLP over HTTP, where and how the
 * `OTEL_EXPORTER_OTLP_*` variables say. A collector that is away costs spans, and nothing else: what waits for it is bounded.
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
import { ExportResultCode } from '@opentelemetry/core';
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
  /** Is this trace kept? Of a turn it is all or nothing, whichever process asks. */
  isSampled(traceId: string): boolean;
  /** Never waits, and never throws. */
  record(spans: readonly TraceSpan[]): void;
  /** Records what is read in the background; what fails there is not recorded. */
  recordLater(read: () => Promise<readonly TraceSpan[]>): void;
  /** Resolves once what was recorded is sent, or cannot be within five seconds. */
  close(): Promise<void>;
}

export interface TracerOptions {
  readonly version: string;
  readonly hasContent: boolean;
  /** Of all traces, which part is kept: 0 to 1. */
  readonly ratio: number;
  /** How spans wait; the SDK's own numbers where nothing is said. */
  readonly batch?: {
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
  };
  /** Gets the reason when spans could not be sent: once, until some are sent again. */
  readonly onFailure?: (reason: string) => void;
  /** Instead of OTLP. */
  readonly exporter?: SpanExporter;
}

/** Turns whose rows are being read. A turn that ends while so many are is not traced: the database is slower than turns end. */
const mostReads = 1_000;

/** A process that stops waits no longer for its collector. */
const longestCloseMs = 5_000;

export function createTracer({ version, hasContent, ratio, batch, onFailure, ...options }: TracerOptions): Tracer {
  const own = resourceFromAttributes({ 'service.name': 'turnkeep', 'service.version': version });
  const resource = defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
  const exporter = reporting(options.exporter ?? new OTLPTraceExporter(), onFailure);
  const processor = new BatchSpanProcessor({ ...batch, exporter });
  const sampler = ratio >= 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio);
  const scope = { name: 'turnkeep', version };
  const reads = new Set<Promise<void>>();
  const isSampled = (traceId: string): boolean =>
    sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  const record = (spans: readonly TraceSpan[]): void => {
    for (const span of spans) if (isSampled(span.traceId)) processor.onEnd(readable(span, { resource, scope }));
  };
  return {
    hasContent,
    isSampled,
    record,
    recordLater(read) {
      if (reads.size >= mostReads) return;
      const reading = read()
        .then(record)
        .catch(() => undefined)
        .finally(() => reads.delete(reading));
      reads.add(reading);
    },
    async close() {
      const flush = Promise.all(reads).then(() => processor.shutdown());
      await within(longestCloseMs, flush);
    },
  };
}

/** Resolves with it, or after this time; never rejects. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}

function reporting(exporter: SpanExporter, onFailure: TracerOptions['onFailure']): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.code === ExportResultCode.FAILED;
        if (hasFailed && !isFailing) onFailure?.(result.error?.message ?? 'the collector did not take them');
        isFailing = hasFailed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
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
    links: links.map(({ relation, ...place }): Link => ({ context: contextOf(place), attributes: { 'turnkeep.relation': relation } })),
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

/** A collector of traces: a real HTTP server that takes OTLP, and reads its protobuf by the published schema. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { until } from './until.ts';

/** The part of opentelemetry/proto/collector/trace/v1 that traces have, under one package. */
const schema = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; SpanKind kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
}
enum SpanKind { UNSPECIFIED = 0; INTERNAL = 1; SERVER = 2; CLIENT = 3; PRODUCER = 4; CONSUMER = 5; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
message Status { string message = 2; StatusCode code = 3; }
enum StatusCode { UNSET = 0; OK = 1; ERROR = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5;
    KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
`;

const request = protobuf.parse(schema).root.lookupType('ExportTraceServiceRequest');

interface Wire {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

interface WireAttribute {
  readonly key: string;
  readonly value: { readonly [kind: string]: unknown };
}

interface WireLink {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly attributes: readonly WireAttribute[];
}

interface WireSpan extends WireLink {
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: number;
  readonly endTimeUnixNano: number;
  readonly events: readonly { readonly name: string }[];
  readonly links: readonly WireLink[];
  readonly status?: { readonly code: string; readonly message: string };
}

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: string;
  readonly attributes: { readonly [name: string]: unknown };
  readonly resource: { readonly [name: string]: unknown };
  readonly events: readonly string[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly relation: unknown }[];
  readonly hasFailed: boolean;
  readonly durationNs: number;
}

export interface Collector extends AsyncDisposable {
  readonly url: string;
  /** In the order of their arrival. */
  readonly spans: readonly CollectedSpan[];
  /** All bytes that came, as text. */
  readonly said: string;
  /** The spans of the trace that this turn's root span is in, once it has come. */
  untilTrace(publicId: string): Promise<readonly CollectedSpan[]>;
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  let said = '';
  const server = createServer((incoming, response) => {
    void buffer(incoming).then((body) => {
      const bytes = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      said += bytes.toString('latin1');
      const message = request.toObject(request.decode(bytes), { longs: Number, enums: String, defaults: true }) as Wire;
      spans.push(...spansOf(message));
      response.setHeader('content-type', 'application/x-protobuf').end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const rootOf = (publicId: string): CollectedSpan | undefined =>
    spans.find((span) => span.name.startsWith('invoke_agent') && span.attributes['gen_ai.response.id'] === publicId);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get said() {
      return said;
    },
    async untilTrace(publicId) {
      await until(() => rootOf(publicId) !== undefined);
      const traceId = rootOf(publicId)?.traceId;
      return spans.filter((span) => span.traceId === traceId);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A trace as its names, each below its parent, by their starts: what was done in what. */
export function treeOf(spans: readonly CollectedSpan[], parentId = ''): readonly string[] {
  return spans.flatMap((span) => (span.parentId === parentId ? [span.name, ...treeOf(spans, span.spanId).map((line) => `  ${line}`)] : []));
}

function spansOf({ resourceSpans }: Wire): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        name: span.name,
        kind: span.kind,
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
        events: span.events.map(({ name }) => name),
        links: span.links.map((link) => ({
          traceId: hex(link.traceId),
          spanId: hex(link.spanId),
          relation: attributesOf(link.attributes)['turnkeep.relation'],
        })),
        hasFailed: span.status?.code === 'ERROR',
        durationNs: span.endTimeUnixNano - span.startTimeUnixNano,
      })),
    ),
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function attributesOf(attributes: readonly WireAttribute[]): { readonly [name: string]: unknown } {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

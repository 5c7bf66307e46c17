/**
 * Histories in JSON, as Temporal's tools write them, and as the SDK's replay takes them.
 *
 * The SDK's own functions for it (`historyToJSON`, and `runReplayHistory` of a JSON history) work only where npm has given
 * `@temporalio/common` and `@temporalio/proto` one copy of `protobufjs`: its types are told by `instanceof`, and gRPC's older
 * copy takes the common place in most installations. So the copy that belongs to the types is asked here.
 * `test/history/history-json.test.ts` fails when it is not found there any more.
 */
import { createRequire } from 'node:module';
import proto, { type temporal } from '@temporalio/proto';

type History = temporal.api.history.v1.IHistory;
type Event = temporal.api.history.v1.IHistoryEvent;

/** An event in the JSON of `temporal workflow show --output json`. */
export interface JsonEvent {
  readonly eventId?: string;
  readonly eventType?: string;
  readonly [member: string]: unknown;
}

interface Protobuf {
  readonly type: object;
  readonly toJson: (type: object, message: unknown) => { readonly events?: readonly JsonEvent[] };
  readonly fromJson: (type: object, json: unknown, options: { readonly ignoreUnknownFields: boolean }) => History | null;
  readonly fromObject: (history: History) => unknown;
}

const protobuf = load();

function load(): Protobuf {
  const requireOfProto = createRequire(createRequire(import.meta.url).resolve('@temporalio/proto'));
  const { patchProtobufRoot } = requireOfProto('@temporalio/proto/lib/patch-protobuf-root') as {
    readonly patchProtobufRoot: (root: object) => { readonly lookupType: (name: string) => object };
  };
  const { toJson, fromJson } = requireOfProto('protobufjs/ext/protojson') as Pick<Protobuf, 'toJson' | 'fromJson'>;
  return {
    type: patchProtobufRoot(proto).lookupType('temporal.api.history.v1.History'),
    toJson,
    fromJson,
    fromObject: (history) => proto.temporal.api.history.v1.History.fromObject(history),
  };
}

export function jsonOfEvents(events: Event[]): readonly JsonEvent[] {
  return protobuf.toJson(protobuf.type, protobuf.fromObject({ events })).events ?? [];
}

/** @throws where it is no history */
export function historyOfJson(history: { readonly events: readonly object[] }): History {
  // What a newer server says beside it is of no use here.
  const read = protobuf.fromJson(protobuf.type, history, { ignoreUnknownFields: true });
  if (read?.events == null || read.events.length === 0) throw new TypeError('a history has events, and there are none');
  return read;
}

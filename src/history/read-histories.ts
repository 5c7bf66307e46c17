/**
 * What Temporal has of a turn: the histories of all runs of its workflow, their payloads decoded, so that they replay without
 * keys. Temporal may be away, or have dropped them: that is said, and is no error.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { inTime } from '../client/patience.ts';
import { workflowIdOf } from '../contract/workflows.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import { type JsonEvent, jsonOfEvents } from './history-json.ts';

type Event = temporal.api.history.v1.IHistoryEvent;

export interface RunHistory {
  readonly runId: string;
  readonly events: readonly JsonEvent[];
}

export type Histories =
  | { readonly missing: string }
  | {
      readonly workflowId: string;
      /** Those that follow each other by continue-as-new, the first first. */
      readonly runs: readonly RunHistory[];
      /** There are more, which are not read. */
      readonly runsLeftOut: number;
    };

export type HistoryReader = (turn: Pick<TurnRow, 'id' | 'workflowId' | 'runId'>) => Promise<Histories>;

/** How long a question to Temporal may take. */
const patienceMs = 10_000;

const eventsAtOnce = 100;

/** Together: a workflow of somebody's own may continue as new for years. The run that the turn ran in is always among them. */
const mostEvents = 100_000;
const mostRuns = 100;

/**
 * The history of one run, decoded. @param runId null: the latest of its workflow
 * @throws the error of the call, where Temporal does not answer or has no such run; `ValueError` of the codec where it cannot be decoded
 */
export async function readRun(client: Client, workflowId: string, runId: string | null): Promise<RunHistory> {
  const { loadedDataConverter, namespace } = client.options;
  const execution = { workflowId, ...(runId === null ? {} : { runId }) };
  const events: JsonEvent[] = [];
  let first: Event | undefined;
  let token: Uint8Array | null | undefined;
  do {
    const page = await inTime(
      client.workflowService.getWorkflowExecutionHistory({
        namespace,
        execution,
        maximumPageSize: 256,
        ...(token == null ? {} : { nextPageToken: token }),
      }),
      patienceMs,
    );
    const found = page.history?.events ?? [];
    first ??= found[0];
    for (let from = 0; from < found.length; from += eventsAtOnce) {
      const slice = found.slice(from, from + eventsAtOnce);
      await decodePayloads(slice, loadedDataConverter.payloadCodecs);
      events.push(...jsonOfEvents(slice));
      await nextTurnOfTheLoop();
    }
    token = page.nextPageToken;
  } while (token != null && token.length > 0);
  // The id of a run that its workflow's id alone was known of.
  return { runId: runId ?? first?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? '', events };
}

/** Reads histories by a client, whose data converter decodes them. */
export function createHistoryReader(client: Client): HistoryReader {
  async function readRuns(workflowId: string, runId: string | null): Promise<Histories> {
    const runs = [await readRun(client, workflowId, runId)];
    let [events, runsLeftOut] = [runs[0]?.events.length ?? 0, 0];
    for (const [next, isBefore] of [
      [runBehind, false],
      [runBefore, true],
    ] as const) {
      for (let id = next(runs.at(isBefore ? 0 : -1)); id !== undefined; id = next(runs.at(isBefore ? 0 : -1))) {
        if (runs.length >= mostRuns || events >= mostEvents) {
          runsLeftOut += 1;
          break;
        }
        // The one before may be past retention, while this one is not.
        const run = await readRun(client, workflowId, id).catch((error: unknown) => {
          if (codeOf(error) === notFound) return undefined;
          throw error;
        });
        if (run === undefined) {
          runsLeftOut += 1;
          break;
        }
        events += run.events.length;
        if (isBefore) runs.unshift(run);
        else runs.push(run);
      }
    }
    return { workflowId, runs, runsLeftOut };
  }

  return async ({ id, workflowId, runId }) => {
    try {
      return await readRuns(workflowId ?? workflowIdOf(id), runId);
    } catch (error) {
      return { missing: whyMissing(error) };
    }
  };
}

function runBehind(run: RunHistory | undefined): string | undefined {
  const last = run?.events.at(-1);
  return memberOf(last?.['workflowExecutionContinuedAsNewEventAttributes'], 'newExecutionRunId');
}

function runBefore(run: RunHistory | undefined): string | undefined {
  return memberOf(run?.events[0]?.['workflowExecutionStartedEventAttributes'], 'continuedExecutionRunId');
}

function memberOf(attributes: unknown, name: string): string | undefined {
  const value = (attributes as { readonly [name: string]: unknown } | undefined)?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Each payload in these events, wherever it stands. The events are changed. */
async function decodePayloads(value: unknown, codecs: readonly PayloadCodec[]): Promise<void> {
  if (codecs.length === 0 || typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  for (const [key, member] of Object.entries(value)) {
    if (isPayload(member)) (value as { [key: string]: unknown })[key] = await decoded(member, codecs);
    else await decodePayloads(member, codecs);
  }
}

async function decoded(payload: Payload, codecs: readonly PayloadCodec[]): Promise<Payload> {
  let payloads = [payload];
  // The one that encoded last decodes first.
  for (const codec of codecs.toReversed()) payloads = await codec.decode(payloads);
  return payloads[0] ?? payload;
}

function isPayload(value: unknown): value is Payload {
  const { metadata, data } = (value ?? {}) as { readonly metadata?: unknown; readonly data?: unknown };
  return data instanceof Uint8Array && typeof metadata === 'object';
}

const notFound = 5;

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}

/** Why there is no history, in words. @param error of `readRun` */
export function whyMissing(error: unknown): string {
  if (codeOf(error) === notFound) return 'Temporal has no history of it: its retention is over, or the turn was not handed over yet';
  const words = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === 'ValueError') return `its history cannot be decoded: ${words}`;
  return `Temporal does not answer: ${words.replaceAll(/\s+/g, ' ').slice(0, 200)}`;
}

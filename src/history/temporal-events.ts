/** Temporal's own events of a turn beside its timeline: what they are and when, and none of their payloads (T11). */
import type { Client } from '@temporalio/client';
import { inTime } from '../client/patience.ts';
import { workflowIdOf } from '../contract/workflows.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import { type JsonEvent, jsonOfEvents } from './history-json.ts';
import { whyMissing } from './read-histories.ts';

export interface TemporalEvent {
  readonly id: number;
  /** Such as `activity task scheduled`. */
  readonly type: string;
  readonly at: string;
  /** The name of the activity. */
  readonly activity?: string;
  /** Of the activity, from 1. */
  readonly attempt?: number;
  /** The type of an activity's failure: a code of turnkeep's. */
  readonly failure?: string;
  readonly signal?: string;
}

export type TemporalEvents =
  | { readonly events: readonly TemporalEvent[]; readonly complete: boolean }
  /** Why there are none. */
  | { readonly missing: string };

/** A workflow of somebody's own may have any number. */
const mostEvents = 5_000;
const pageSize = 256;

/** Together: a person waits, and the database has told the rest. */
const patienceMs = 2_000;

type Turn = Pick<TurnRow, 'id' | 'workflowId' | 'runId'>;

/** Of the run that last claimed the turn. Never rejects: a turn is told from the database, also where Temporal has nothing to say. */
export async function readTemporalEvents(client: Client, turn: Turn): Promise<TemporalEvents> {
  try {
    return await inTime(readRun(client, turn), patienceMs);
  } catch (error) {
    return { missing: whyMissing(error) };
  }
}

async function readRun(client: Client, { id, workflowId, runId }: Turn): Promise<TemporalEvents> {
  const { namespace } = client.options;
  const execution = { workflowId: workflowId ?? workflowIdOf(id), ...(runId === null ? {} : { runId }) };
  const events: JsonEvent[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      maximumPageSize: pageSize,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
    events.push(...jsonOfEvents(page.history?.events ?? []));
    nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined && events.length < mostEvents);
  return { events: temporalEventsOf(events), complete: nextPageToken === undefined };
}

/** @param events of one run, in Temporal's JSON */
export function temporalEventsOf(events: readonly JsonEvent[]): TemporalEvent[] {
  const activities = new Map<string, string>();
  return events.map((event) => {
    const { eventId = '0', eventType = '' } = event;
    const [key = '', attributes = {}] = attributesOf(event);
    const name = textAt(attributes, 'activityType', 'name');
    if (name !== undefined && key.startsWith('activityTaskScheduled')) activities.set(eventId, name);
    const activity = activities.get(textAt(attributes, 'scheduledEventId') ?? eventId);
    const attempt = attributes['attempt'];
    const failure =
      textAt(attributes, 'failure', 'applicationFailureInfo', 'type') ??
      textAt(attributes, 'lastFailure', 'applicationFailureInfo', 'type');
    const signal = textAt(attributes, 'signalName');
    return {
      id: Number(eventId),
      type: eventType
        .replace(/^EVENT_TYPE_/, '')
        .toLowerCase()
        .replaceAll('_', ' '),
      at: new Date(String(event['eventTime'])).toISOString(),
      ...(activity === undefined ? {} : { activity }),
      ...(activity === undefined || typeof attempt !== 'number' ? {} : { attempt }),
      ...(failure === undefined ? {} : { failure }),
      ...(signal === undefined ? {} : { signal }),
    };
  });
}

type Attributes = Readonly<Record<string, unknown>>;

function attributesOf(event: JsonEvent): readonly [string, Attributes] | [] {
  const found = Object.entries(event).find(([key]) => key.endsWith('EventAttributes'));
  return found === undefined ? [] : [found[0], found[1] as Attributes];
}

function textAt(attributes: unknown, ...path: readonly string[]): string | undefined {
  const value = path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? (at as Attributes)[name] : undefined),
    attributes,
  );
  return typeof value === 'string' && value !== '' ? value : undefined;
}

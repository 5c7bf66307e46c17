/** Temporal's own events of a run, beside a turn's timeline: what they are and when, and none of their payloads (T11). */
import { type Client, isGrpcServiceError } from '@temporalio/client';

export interface TemporalEvent {
  readonly id: number;
  /** Such as `ActivityTaskScheduled`. */
  readonly type: string;
  readonly at: string;
  readonly activity?: string;
  /** Of the activity, from 1. */
  readonly attempt?: number;
  /** The type of an activity's failure: a code of turnkeep's. */
  readonly failure?: string;
  readonly timer_ms?: number;
  readonly signal?: string;
}

export type TemporalHistory =
  | { readonly events: readonly TemporalEvent[]; readonly complete: boolean }
  /** Why there is none, as a sentence. */
  | { readonly missing: string };

/** A workflow of somebody's own may have any number. */
const mostEvents = 5_000;
const pageSize = 1_000;
const deadlineMs = 3_000;

const NOT_FOUND = 5;

type Page = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>;
type HistoryEvent = NonNullable<NonNullable<Page['history']>['events']>[number];

/** Never rejects: a turn is told from the database, also where Temporal has nothing to say. @param run its last run, where none is named */
export async function readTemporalEvents(
  client: Client,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string | null },
): Promise<TemporalHistory> {
  const { namespace } = client.options;
  const events: HistoryEvent[] = [];
  try {
    let nextPageToken: Uint8Array | undefined;
    do {
      const page: Page = await client.withDeadline(Date.now() + deadlineMs, () =>
        client.workflowService.getWorkflowExecutionHistory({
          namespace,
          execution: { workflowId, ...(runId === null ? {} : { runId }) },
          maximumPageSize: pageSize,
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        }),
      );
      events.push(...(page.history?.events ?? []));
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0 && events.length < mostEvents);
    return { events: eventsOf(events.slice(0, mostEvents)), complete: nextPageToken.length === 0 && events.length <= mostEvents };
  } catch (error) {
    const isGone = isGrpcServiceError(error) && Number(error.code) === NOT_FOUND;
    return { missing: isGone ? 'Temporal has no such run any more: its retention is over.' : 'Temporal does not answer.' };
  }
}

function eventsOf(events: readonly HistoryEvent[]): TemporalEvent[] {
  const activities = new Map(
    events.flatMap(({ eventId, activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled == null ? [] : [[Number(eventId), scheduled.activityType?.name ?? '']],
    ),
  );
  return events.map((event) => {
    const [key = ''] = Object.keys(event).filter((name) => name.endsWith('EventAttributes'));
    const scheduledId =
      event.activityTaskStartedEventAttributes?.scheduledEventId ??
      event.activityTaskCompletedEventAttributes?.scheduledEventId ??
      event.activityTaskFailedEventAttributes?.scheduledEventId ??
      event.activityTaskTimedOutEventAttributes?.scheduledEventId ??
      event.activityTaskCanceledEventAttributes?.scheduledEventId ??
      event.eventId;
    const activity = activities.get(Number(scheduledId));
    const attempt = event.activityTaskStartedEventAttributes?.attempt;
    const failed = event.activityTaskFailedEventAttributes?.failure ?? event.activityTaskStartedEventAttributes?.lastFailure;
    const failure = failed?.applicationFailureInfo?.type;
    const timer = event.timerStartedEventAttributes?.startToFireTimeout;
    const signal = event.workflowExecutionSignaledEventAttributes?.signalName;
    const type = key.replace(/EventAttributes$/, '');
    return {
      id: Number(event.eventId),
      type: type.slice(0, 1).toUpperCase() + type.slice(1),
      at: new Date(msOf(event.eventTime)).toISOString(),
      ...(activity === undefined ? {} : { activity }),
      ...(attempt == null ? {} : { attempt }),
      ...(failure == null ? {} : { failure }),
      ...(timer == null ? {} : { timer_ms: msOf(timer) }),
      ...(signal == null ? {} : { signal }),
    };
  });
}

interface Timestamp {
  readonly seconds?: { toNumber(): number } | null;
  readonly nanos?: number | null;
}

function msOf(time: Timestamp | null | undefined): number {
  return (time?.seconds?.toNumber() ?? 0) * 1_000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
}

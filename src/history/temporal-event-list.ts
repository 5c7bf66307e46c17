/** The events of a run in short, of its history in JSON: no payloads (T11). Pure, and without Temporal's own code: a command loads it. */
import type { JsonEvent } from './history-json.ts';

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

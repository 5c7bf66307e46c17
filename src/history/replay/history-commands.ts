/** What workflow code has asked for, read off a history: the events that answer commands, one each. Pure. */
import type { JsonEvent } from '../history-json.ts';

/** An event that stands for a command. */
export interface CommandEvent {
  readonly id: string;
  /** As Temporal's UI names it: `ActivityTaskScheduled`. */
  readonly type: string;
  /** Of the command, as Core names it. */
  readonly kind: string;
  readonly name?: string;
  /** The number of the event that began the workflow task in which it was asked for. */
  readonly historyLength: number;
}

/** Which command an event stands for. Of a local activity there is an event when it has ended. */
const kindOf: { readonly [type: string]: string } = {
  ActivityTaskScheduled: 'scheduleActivity',
  ActivityTaskCancelRequested: 'requestCancelActivity',
  TimerStarted: 'startTimer',
  TimerCanceled: 'cancelTimer',
  StartChildWorkflowExecutionInitiated: 'startChildWorkflowExecution',
  SignalExternalWorkflowExecutionInitiated: 'signalExternalWorkflowExecution',
  RequestCancelExternalWorkflowExecutionInitiated: 'requestCancelExternalWorkflowExecution',
  UpsertWorkflowSearchAttributes: 'upsertWorkflowSearchAttributes',
  WorkflowPropertiesModified: 'modifyWorkflowProperties',
  NexusOperationScheduled: 'scheduleNexusOperation',
  NexusOperationCancelRequested: 'requestCancelNexusOperation',
  WorkflowExecutionCompleted: 'completeWorkflowExecution',
  WorkflowExecutionFailed: 'failWorkflowExecution',
  WorkflowExecutionCanceled: 'cancelWorkflowExecution',
  WorkflowExecutionContinuedAsNew: 'continueAsNewWorkflowExecution',
};

export function commandEventsOf(events: readonly JsonEvent[]): readonly CommandEvent[] {
  const byId = new Map(events.map((event) => [event.eventId, event]));
  return events.flatMap((event) => {
    const { type, attributes } = readEvent(event);
    const task = byId.get(stringOf(attributes['workflowTaskCompletedEventId']));
    if (task === undefined) return [];
    const command = type === 'MarkerRecorded' ? markerCommand(attributes) : { kind: kindOf[type], name: nameIn(attributes) };
    const { kind, name } = command;
    if (kind === undefined) return [];
    const historyLength = Number(stringOf(readEvent(task).attributes['startedEventId']) ?? 0);
    return [{ id: event.eventId ?? '', type, kind, ...(name === undefined ? {} : { name }), historyLength }];
  });
}

/** The number of the event that began the last workflow task that has ended. */
export function lengthAtLastTask(events: readonly JsonEvent[]): number {
  const task = events.findLast(({ eventType }) => eventType === 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED');
  return task === undefined ? 0 : Number(stringOf(readEvent(task).attributes['startedEventId']) ?? 0);
}

/** The type without its prefix, in the words of Temporal's UI, and the attributes. */
export function readEvent(event: JsonEvent): { readonly type: string; readonly attributes: { readonly [name: string]: unknown } } {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes'));
  const type = (event.eventType ?? '')
    .replace('EVENT_TYPE_', '')
    .toLowerCase()
    .replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { type, attributes: ((key === undefined ? undefined : event[key]) ?? {}) as { readonly [name: string]: unknown } };
}

function nameIn(attributes: { readonly [name: string]: unknown }): string | undefined {
  const { activityType, workflowType, signalName } = attributes;
  const named = (activityType ?? workflowType) as { readonly name?: unknown } | undefined;
  return stringOf(named?.name) ?? stringOf(signalName);
}

function markerCommand(attributes: { readonly [name: string]: unknown }): { readonly kind?: string; readonly name?: string | undefined } {
  const details = (attributes['details'] ?? {}) as {
    readonly [name: string]: { readonly payloads?: readonly { readonly data?: string }[] };
  };
  const data = (name: string): { readonly [name: string]: unknown } => {
    try {
      const text = Buffer.from(details[name]?.payloads?.[0]?.data ?? '', 'base64').toString('utf8');
      const value: unknown = JSON.parse(text);
      return typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown }) : { value };
    } catch {
      return {};
    }
  };
  if (attributes['markerName'] === 'core_patch')
    return { kind: 'setPatchMarker', name: stringOf(data('patch-data')['id']) ?? stringOf(data('patch-id')['value']) };
  if (attributes['markerName'] !== 'core_local_activity') return {};
  const facts = data('data');
  return { kind: 'scheduleLocalActivity', name: stringOf(facts['activity_type']) ?? stringOf(facts['activityType']) };
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

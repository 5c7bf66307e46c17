/**
 * An interceptor for a replay that has diverged once: tells each command of the workflow code with the place in the code that asks
 * for it. Runs in Temporal's sandbox: imports nothing but `@temporalio/workflow`.
 */
import { proxySinks, type Sinks, type WorkflowInterceptors } from '@temporalio/workflow';

/** A command, as far as it is compared with the events of a history. */
export interface TracedCommand {
  /** The name of the command in Core's protocol, such as `scheduleActivity`. */
  readonly kind: string;
  /** The type of the activity or child, the id of the patch. */
  readonly name?: string;
  /** Of a timer, activity or child, from 1: a cancel names the same. */
  readonly seq?: number;
  /** The length of the history when its workflow task began: the number of the event that began it. */
  readonly historyLength: number;
  readonly stack: string;
}

export interface TraceSinks extends Sinks {
  readonly turnkeepTrace: { readonly command: (command: TracedCommand) => void };
}

/** What is used of an object of the SDK's own: `test/history/replay.test.ts` fails where it is another one. */
interface Activator {
  readonly info: { readonly historyLength: number };
  pushCommand: (command: object, isLast?: boolean) => void;
}

const { turnkeepTrace } = proxySinks<TraceSinks>();

export function interceptors(): WorkflowInterceptors {
  const activator = (globalThis as unknown as { readonly __TEMPORAL_ACTIVATOR__: Activator }).__TEMPORAL_ACTIVATOR__;
  const push = activator.pushCommand.bind(activator);
  activator.pushCommand = (command, isLast) => {
    const { stack = '' } = new Error('at');
    push(command, isLast);
    turnkeepTrace.command({ ...factsOf(command), historyLength: activator.info.historyLength, stack });
  };
  return {};
}

function factsOf(command: object): Pick<TracedCommand, 'kind' | 'name' | 'seq'> {
  const [kind = 'nothing', facts] =
    Object.entries(command).find(([key, value]) => value != null && key !== 'userMetadata' && key !== 'eventGroupMarkers') ?? [];
  const { activityType, workflowType, patchId, signalName, seq } = (facts ?? {}) as { readonly [fact: string]: unknown };
  const name = activityType ?? workflowType ?? patchId ?? signalName;
  return { kind, ...(typeof name === 'string' ? { name } : {}), ...(typeof seq === 'number' ? { seq } : {}) };
}

/** Where workflow code parts from a history, and what was probably changed. Pure: from the events and the traced commands. */
import { isAbsolute, relative } from 'node:path';
import type { JsonEvent } from '../history-json.ts';
import { type CommandEvent, commandEventsOf, lengthAtLastTask } from './history-commands.ts';
import type { TracedCommand } from './trace-commands.ts';

export interface Divergence {
  /** The event of the history that the code does not come to; null: the history has none more, and the code asks for something. */
  readonly event: { readonly id: string; readonly type: string } | null;
  /** What the history has, in words. */
  readonly expected: string;
  /** What the code asks for instead, in words. */
  readonly found: string;
  /** Where: `src/workflows/run-turn.ts:134`; null: before the first line that asks for something. */
  readonly line: string | null;
  /** `at`: the line asks for what was found. `behind`: the code asks for nothing there, and this is the last line that did. */
  readonly place: 'at' | 'behind';
  /** Of the workflow code, the innermost first. */
  readonly stack: readonly string[];
  /** The likely kind of change, in words. */
  readonly change: string;
}

const nouns: { readonly [kind: string]: string } = {
  scheduleActivity: 'the activity',
  scheduleLocalActivity: 'the local activity',
  requestCancelActivity: 'the cancel of an activity',
  requestCancelLocalActivity: 'the cancel of a local activity',
  startTimer: 'a timer',
  cancelTimer: 'the cancel of a timer',
  startChildWorkflowExecution: 'the child workflow',
  signalExternalWorkflowExecution: 'the signal',
  requestCancelExternalWorkflowExecution: 'the cancel of another workflow',
  upsertWorkflowSearchAttributes: 'a change of search attributes',
  modifyWorkflowProperties: 'a change of the memo',
  scheduleNexusOperation: 'a Nexus operation',
  setPatchMarker: 'the patch',
  completeWorkflowExecution: "the workflow's end, completed",
  failWorkflowExecution: "the workflow's end, failed",
  cancelWorkflowExecution: "the workflow's end, cancelled",
  continueAsNewWorkflowExecution: 'continue-as-new',
};

type Asked = Pick<TracedCommand, 'kind' | 'name'>;

export function wordsOf({ kind, name }: Asked): string {
  return `${nouns[kind] ?? kind}${name === undefined ? '' : ` ${name}`}`;
}

/**
 * The first place where they differ.
 * @param hint the number of the event that Core stumbled over, where it said so
 * @returns undefined where they have the same commands in the same order: the difference is another one, such as an id of one's own
 */
export function findDivergence(history: readonly JsonEvent[], traced: readonly TracedCommand[], hint?: string): Divergence | undefined {
  const events = commandEventsOf(history);
  const commands = withoutUnsent(traced);
  const context = { traced, length: lengthAtLastTask(history), hint };
  // When a local activity ends is not the code's doing, and its event comes only then.
  const isOrdered = ({ kind }: Asked): boolean => !kind.endsWith('LocalActivity');
  const [ordered, sent] = [events.filter(isOrdered), commands.filter(isOrdered)];
  return (
    firstDifference(ordered, sent, context, isSame) ??
    firstDifference(
      events.filter((event) => !isOrdered(event)),
      commands.filter(({ kind }) => kind === 'scheduleLocalActivity'),
      context,
      isSame,
    ) ??
    firstDifference(ordered, sent, context, (event, command) => event.historyLength === command.historyLength)
  );
}

interface Context {
  readonly traced: readonly TracedCommand[];
  /** Of the history, when its last workflow task began that has ended: what is asked for later is no difference. */
  readonly length: number;
  readonly hint: string | undefined;
}

function firstDifference(
  events: readonly CommandEvent[],
  commands: readonly TracedCommand[],
  context: Context,
  isMatch: (event: CommandEvent, command: TracedCommand) => boolean,
): Divergence | undefined {
  for (let index = 0; index < Math.max(events.length, commands.length); index += 1) {
    const [event, command] = [events[index], commands[index]];
    if (event !== undefined && command !== undefined && isMatch(event, command)) continue;
    if (event === undefined && (command === undefined || command.historyLength > context.length)) return undefined;
    return describe(events.slice(index), commands.slice(index), context);
  }
  return undefined;
}

/** @param events from the first on that differs */
function describe(events: readonly CommandEvent[], commands: readonly TracedCommand[], { traced, hint }: Context): Divergence {
  const [event, command] = [events[0], commands[0]];
  // What is asked for in a later task is not what is found in this one, and the other way round.
  const isLate = event !== undefined && command !== undefined && command.historyLength > event.historyLength;
  const isEarly = event !== undefined && command !== undefined && command.historyLength < event.historyLength;
  const [expected, found] = [isEarly ? undefined : event, isLate ? undefined : command];
  const before = traced
    .slice(0, found === undefined ? undefined : traced.indexOf(found))
    .findLast(({ stack }) => placesIn(stack).length > 0);
  const own = found === undefined ? [] : placesIn(found.stack);
  const stack = own.length > 0 ? own : placesIn(before?.stack ?? '');
  const named = event ?? (hint === undefined ? undefined : { id: hint, type: 'unknown' });
  return {
    event: named === undefined ? null : { id: named.id, type: named.type },
    expected: expected === undefined ? 'nothing more in this workflow task' : wordsOf(expected),
    found: found === undefined ? 'nothing: the code waits, or has ended' : wordsOf(found),
    line: stack[0] ?? null,
    place: own.length > 0 ? 'at' : 'behind',
    stack,
    change: changeOf(expected, found, events),
  };
}

/** The replay ends where the code parts from the history: what it would have asked for later is not known, what the history has is. */
function changeOf(event: CommandEvent | undefined, command: TracedCommand | undefined, events: readonly CommandEvent[]): string {
  if (event?.kind === 'setPatchMarker') {
    return `a patch is missing: patched('${event.name ?? ''}') was taken out of the code, and runs have its marker`;
  }
  const [expected, found] = [event, command].map((asked) => (asked === undefined ? '' : wordsOf(asked)));
  if (command === undefined) return event === undefined ? 'unknown' : `${expected} was removed, or is asked for later`;
  const wasLater = events.some((later) => later !== event && isSame(later, command));
  if (event === undefined) return wasLater ? `${found} was moved: it comes earlier than before` : `${found} was added`;
  if (isSame(event, command)) return `${expected} was moved to another workflow task`;
  if (ends.test(command.kind)) return `${expected} was removed: the workflow ends without it`;
  if (wasLater) return `${expected} was removed, or moved behind ${found}`;
  if (event.kind === command.kind) return `${expected} was replaced by ${found}, or ${found} was added before it`;
  return `${found} was added before ${expected}, or took its place`;
}

const ends = /^(?:complete|fail|cancel|continueAsNew)WorkflowExecution$/;

/** The kind and the type; ids are numbers in the order of the commands, and shift with each that is added. */
function isSame(event: Asked, command: Asked): boolean {
  return event.kind === command.kind && (event.name === undefined || command.name === undefined || event.name === command.name);
}

/** What was asked for and taken back within one workflow task is never sent. */
function withoutUnsent(commands: readonly TracedCommand[]): readonly TracedCommand[] {
  const cancels: { readonly [kind: string]: string } = {
    cancelTimer: 'startTimer',
    requestCancelActivity: 'scheduleActivity',
    cancelChildWorkflowExecution: 'startChildWorkflowExecution',
    cancelSignalWorkflow: 'signalExternalWorkflowExecution',
  };
  const unsent = new Set<TracedCommand>();
  for (const command of commands) {
    const kind = cancels[command.kind];
    if (kind === undefined) continue;
    const begun = commands.find((each) => each.kind === kind && each.seq === command.seq);
    if (begun?.historyLength !== command.historyLength) continue;
    unsent.add(begun);
    unsent.add(command);
  }
  return commands.filter(
    (command) => !unsent.has(command) && !/^(?:respondToQuery|updateResponse|requestCancelLocalActivity)$/.test(command.kind),
  );
}

/** `file:line` of the frames that are not the SDK's, nor ours that trace; files as seen from the working directory. */
export function placesIn(stack: string): readonly string[] {
  return stack.split('\n').flatMap((frame) => {
    const [, file, line] = /\(?([^()\s]+):(\d+):\d+\)?$/.exec(frame.trim()) ?? [];
    if (file === undefined || line === undefined || /@temporalio[/\\]|trace-commands\.|^node:|^null$|__temporal/.test(file)) return [];
    return [`${isAbsolute(file) ? relative(process.cwd(), file) : file.replace(/^webpack:\/\/[^/]*\/|^\.\//, '')}:${line}`];
  });
}

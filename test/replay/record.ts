/**
 * Keeps one history of each kind of run that the stories make, for `corpus.test.ts` (T10). Off unless the variable names a
 * folder:
 *
 *     TURNKEEP_RECORD_HISTORIES=test/replay/histories npm test test/stories
 *
 * A kind is the sequence of a history's events, repeats left out, with the activities and failures in them. A kind that is there already is
 * left as it is: the corpus holds what earlier code recorded.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import proto, { type temporal } from '@temporalio/proto';

type IHistory = temporal.api.history.v1.IHistory;

const { History } = proto.temporal.api.history.v1;
const { EventType } = proto.temporal.api.enums.v1;

export function recordHistory(workflowId: string, history: IHistory): void {
  const folder = process.env['TURNKEEP_RECORD_HISTORIES'];
  if (folder === undefined || folder === '') return;
  const kind = kindOf(history);
  const suffix = `${createHash('sha256').update(kind.join('\n')).digest('hex').slice(0, 8)}.txt`;
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).some((name) => name.endsWith(suffix))) return;
  const name = [workflowId.split('/')[0] ?? '', ...wordsOf(kind)].join('.').slice(0, 100);
  const path = join(folder, `${name}.${suffix}`);
  if (existsSync(path)) return;
  const bytes = History.encode(History.fromObject(history)).finish();
  writeFileSync(
    path,
    `${workflowId}\n${Buffer.from(bytes)
      .toString('base64')
      .replaceAll(/.{120}/g, '$&\n')}\n`,
  );
}

/** @returns what the file of `recordHistory` holds */
export function readHistory(text: string): { readonly workflowId: string; readonly history: IHistory } {
  const [workflowId = '', ...lines] = text.split('\n');
  return { workflowId, history: History.decode(Buffer.from(lines.join(''), 'base64')) };
}

/** What tells this kind from others at a glance: activities, failures, signals, timers. */
function wordsOf(kind: readonly string[]): string[] {
  const words = kind.flatMap((line) => {
    const [event = '', ...of] = line.split(':');
    if (/ACTIVITY_TASK_(SCHEDULED|FAILED)|MARKER/.test(event)) return of;
    if (/CONTINUED|CANCELED|TIMED_OUT|SIGNALED|TIMER_FIRED/.test(event)) return [event.toLowerCase().replaceAll('_', '-')];
    return [];
  });
  return words.filter((word, index) => word !== words[index - 1]);
}

function kindOf({ events }: IHistory): string[] {
  const lines = (events ?? []).map((event) => {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name ?? event.markerRecordedEventAttributes?.markerName;
    const failure = event.activityTaskFailedEventAttributes?.failure ?? event.activityTaskStartedEventAttributes?.lastFailure;
    const type = failure?.applicationFailureInfo?.type ?? failure?.timeoutFailureInfo?.timeoutType;
    return [EventType[event.eventType ?? 0]?.replace('EVENT_TYPE_', ''), name, type].filter((word) => word != null).join(':');
  });
  return lines.filter((line, index) => line !== lines[index - 1]);
}

/** An event of a turn's timeline as one line, for `show --follow` where lines are not redrawn. */
import { printable } from '../chat/screen.ts';
import { protocolName, viewerEnd } from './explain.ts';
import { sinceStart } from './steps.ts';

type Event = Readonly<Record<string, unknown>> & { readonly at: string; readonly type: string };

const words: { readonly [type: string]: (event: Event) => string } = {
  accepted: () => 'accepted',
  ready: () => 'ready to run',
  requested: (event) => `${requestOf(event)} asked`,
  taken_over: ({ worker, epoch }) => `taken over by ${textOf(worker)}, epoch ${textOf(epoch)}`,
  sent: (event) => `${requestOf(event)} sent`,
  headers: (event) => `${requestOf(event)} answered with headers`,
  first_event: (event) => `${requestOf(event)} began its answer`,
  finished: (event) => `${requestOf(event)} stated its finish`,
  read_on: (event) => `${requestOf(event)} read on after ${textOf(event['reason'])}`,
  attempt_ended: (event) =>
    `${requestOf(event)} ended: ${[event['outcome'], event['code']].filter(Boolean).map(textOf).join(', ')}${waitOf(event)}`,
  tool_begun: ({ name, run }) => `tool ${textOf(name)} begun${run === 1 ? '' : `, run ${textOf(run)}`}`,
  tool_ended: ({ name, outcome }) => `tool ${textOf(name)} ${textOf(outcome)}`,
  approval_asked: ({ id }) => `approval ${textOf(id)} asked for`,
  approval_answered: ({ id, approved }) => `approval ${textOf(id)} ${approved === false ? 'refused' : 'given'}`,
  cancel_requested: () => 'cancel asked for',
  viewer_joined: ({ viewer, protocol }) => `viewer ${textOf(viewer)} (${protocolName(textOf(protocol))}) came`,
  viewer_left: ({ viewer, end }) => `viewer ${textOf(viewer)} ${viewerEnd(textOf(end))}`,
  settled: ({ status, code }) => `${textOf(status)}${code === undefined ? '' : `: ${textOf(code)}`}`,
};

export function eventLine(event: Event, fromMs: number): string {
  const text = words[event.type]?.(event) ?? event.type;
  return `${sinceStart({ fromMs }, event.at).padStart(9)}  ${printable(text)}`;
}

function requestOf({ step, attempt }: Event): string {
  return `step ${textOf(step)}, request ${textOf(attempt)}`;
}

function waitOf({ wait_ms: waitMs }: Event): string {
  return typeof waitMs === 'number' && waitMs >= 50 ? `, then a wait of ${waitMs} ms` : '';
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

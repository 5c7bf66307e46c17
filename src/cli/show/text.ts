/** A turn as a timeline, in the lines of a terminal. Pure. */
import { styleText } from 'node:util';
import { printable } from '../chat/screen.ts';
import { explanationOf, protocolName, viewerEnd } from './explain.ts';
import { barLine, type Canvas, details, fitted, type Line, plain, scaleLine, secondsOf, widthOf, wrapped } from './lines.ts';
import { approvalWords, seenWords, sinceStart, stepLines, usageWords } from './steps.ts';
import type { ShownTimeline } from './timeline.ts';

export interface Drawing {
  readonly columns: number;
  readonly hasColours: boolean;
  readonly isWhole: boolean;
  readonly nowMs: number;
  /** Said above all, such as where it was read from. */
  readonly notes?: readonly string[];
}

/** Beside the timeline, where there is room for both. */
const temporalColumns = 50;
const bothColumns = 120;
const mostViewers = 5;
const foldedEvents = 12;

export function timelineText(timeline: ShownTimeline, drawing: Drawing): string[] {
  const temporal = temporalOf(timeline);
  const isBeside = drawing.columns >= bothColumns && temporal.length > 0;
  const canvas: Canvas = {
    columns: isBeside ? drawing.columns - temporalColumns - 2 : drawing.columns,
    isWhole: drawing.isWhole,
    paint: drawing.hasColours ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text,
    fromMs: Date.parse(timeline.created_at),
    toMs: timeline.settled_at === null ? drawing.nowMs : Date.parse(timeline.settled_at),
  };
  const head = headLines(canvas, timeline, drawing.notes ?? []);
  const body = [scaleLine(canvas), ...bodyLines(canvas, timeline)];
  const lines = isBeside ? [...head, ...beside(canvas, body, temporal)] : [...head, ...body, ...below(canvas, temporal)];
  return lines.map(({ text }) => text.trimEnd());
}

const marks: { readonly [status: string]: readonly [mark: string, style: Parameters<Canvas['paint']>[0]] } = {
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
  queued: ['…', 'dim'],
  in_progress: ['…', 'cyan'],
};

function headLines(canvas: Canvas, timeline: ShownTimeline, notes: readonly string[]): Line[] {
  const {
    id,
    status,
    error,
    incomplete_details: incomplete,
    session,
    model,
    asked_model: asked,
    parent,
    workflow_id: workflow,
    run_id: run,
  } = timeline;
  const [mark, style] = marks[status] ?? ['■', 'yellow'];
  const reason = status === 'cancelled' ? undefined : (error?.code ?? incomplete?.reason);
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['turn', id],
    ['session', session ?? undefined],
    ['model', asked === undefined ? model : `${model}, an agent that asks ${asked}`],
    ['carries out', parent === undefined ? undefined : `a call of turn ${parent.id}`],
    ['workflow', workflow ?? undefined],
    ['run', run ?? undefined],
    ['accepted', `${timeline.created_at}, ${durationWords(canvas, timeline)}`],
    ['input', inputWords(timeline)],
    ['spent', spentWords(timeline)],
    ['lost', lostWords(timeline)],
    ['retry at', timeline.retry_at],
  ];
  return [
    ...notes.flatMap((note) => wrapped(note, canvas.columns).map((line) => plain(line, canvas, 'yellow'))),
    plain(`${mark} ${reason === undefined ? status : `${status}: ${reason}`}`, canvas, style),
    ...(error === null ? [] : details(canvas, error.message)),
    ...details(canvas, explanationOf(timeline), 'dim'),
    ...rows.flatMap(([name, value]) =>
      value === undefined ? [] : [plain(fitted(`  ${name.padEnd(12)}${printable(value)}`, canvas.columns), canvas)],
    ),
    ...missing(canvas, timeline),
    plain('', canvas),
  ];
}

function durationWords({ fromMs, toMs }: Canvas, { settled_at: settled }: ShownTimeline): string {
  return settled === null ? `runs for ${secondsOf(toMs - fromMs)}` : `took ${secondsOf(toMs - fromMs)}`;
}

function inputWords({ input, input_items: count = 0 }: ShownTimeline): string | undefined {
  if (input === undefined || input.length === 0) return undefined;
  const text = input
    .map((item) => item.text || `[${item.type}]`)
    .join(' | ')
    .replaceAll(/\s+/g, ' ');
  return count > input.length ? `${count} items: ${text}` : text;
}

function spentWords({ usage, steps }: ShownTimeline): string {
  const requests = steps.flatMap((step) => ('attempts' in step ? step.attempts : [])).length;
  const asked = `${requests} ${requests === 1 ? 'request' : 'requests'}`;
  return usage === null ? `${asked}; the provider did not say how many tokens` : `${asked}, ${usageWords(usage)}`;
}

function lostWords({ lost_usage: lost }: ShownTimeline): string | undefined {
  if (lost === null) return 'requests that failed: the provider did not say how many tokens';
  return lost.total_tokens === 0 ? undefined : `${usageWords(lost)}, by requests that failed`;
}

function missing(canvas: Canvas, { journal, output, temporal }: ShownTimeline): Line[] {
  const notes = [
    ...(journal === null ? ['The events of this turn are past retention: this is from the database alone.'] : []),
    ...(output === null ? ['What it said is deleted, or past retention.'] : []),
    ...(temporal !== undefined && 'missing' in temporal ? [`Temporal: ${temporal.missing}. This is from the database alone.`] : []),
  ];
  return notes.flatMap((note) => wrapped(note, canvas.columns - 2).map((line) => plain(`  ${line}`, canvas, 'yellow')));
}

function bodyLines(canvas: Canvas, timeline: ShownTimeline): Line[] {
  const { ready_at: ready, cancel_requested_at: cancel, approvals = [], journal, settled_at: settled } = timeline;
  const readyMs = ready === undefined ? (settled === null ? canvas.toMs : canvas.fromMs) : Date.parse(ready);
  const waitedMs = readyMs - canvas.fromMs;
  const attempts = timeline.steps.flatMap((step) => ('attempts' in step ? step.attempts : []));
  const epoch = Math.max(0, ...attempts.map((each) => each.epoch ?? 0));
  const isEndedElsewhere = settled !== null && attempts.at(-1)?.outcome === 'lost' && journal != null && journal.epoch > epoch;
  return [
    ...(waitedMs < 50
      ? []
      : [barLine(canvas, '  waited', [{ fromMs: canvas.fromMs, toMs: readyMs, char: '·', style: 'dim' }], secondsOf(waitedMs))]),
    ...stepLines(canvas, timeline),
    ...(cancel === undefined ? [] : [plain(`cancel asked for at ${sinceStart(canvas, cancel)}`, canvas, 'yellow', Date.parse(cancel))]),
    ...approvals.flatMap((each) => [
      plain(
        `approval asked for: ${printable(each.name)}(${fitted(printable(each.arguments), Math.max(20, canvas.columns - 40))})`,
        canvas,
        'yellow',
      ),
      ...details(canvas, approvalWords(canvas, each)),
    ]),
    ...(isEndedElsewhere ? [plain(`ended by another process, epoch ${journal.epoch}`, canvas, 'yellow', canvas.toMs)] : []),
    ...viewerLines(canvas, timeline),
  ];
}

function viewerLines(canvas: Canvas, { viewers }: ShownTimeline): Line[] {
  if (viewers.length === 0) return [];
  const shown = canvas.isWhole ? viewers : viewers.slice(-mostViewers);
  const folded = viewers.length - shown.length;
  return [
    plain('viewers', canvas, 'bold'),
    ...(folded === 0 ? [] : [plain(`  … ${folded} earlier ones: --all shows them`, canvas, 'dim')]),
    ...shown.flatMap(
      ({ viewer, protocol, opened_at: opened, closed_at: closed, last_at: last, from_event: from, last_event: seen, end }) => {
        const fromMs = Date.parse(opened);
        const toMs = Date.parse(closed ?? last ?? opened);
        const bar = fromMs > canvas.toMs ? [] : [{ fromMs, toMs, char: '─', style: 'dim' as const }];
        return [
          barLine(canvas, `  ${viewer} ${protocolName(protocol)}`, bar, secondsOf(toMs - fromMs)),
          ...details(canvas, protocol === 'json' ? `one body: ${viewerEnd(end)}` : `had seen ${seenWords(from, seen)}, ${viewerEnd(end)}`),
        ];
      },
    ),
  ];
}

interface Beside {
  readonly atMs: number;
  readonly text: string;
}

function temporalOf({ temporal, created_at: from }: ShownTimeline): readonly Beside[] {
  if (temporal === undefined || !('events' in temporal)) return [];
  return temporal.events.map(({ id, type, at, activity, attempt, failure }) => {
    const facts = [activity, attempt === undefined || attempt < 2 ? undefined : `attempt ${attempt}`, failure].filter(Boolean).join(', ');
    const name = type.replace(/^workflow execution /, 'workflow ').replace(/^activity task /, 'activity ');
    const text = `${sinceStart({ fromMs: Date.parse(from) }, at).padStart(9)} ${String(id).padStart(3)} ${name}${facts === '' ? '' : ` ${facts}`}`;
    return { atMs: Date.parse(at), text };
  });
}

/** Temporal's events to the right, each beside the line of its moment or below. */
function beside(canvas: Canvas, lines: readonly Line[], events: readonly Beside[]): Line[] {
  const rows: { readonly left: Line; right: string }[] = lines.map((left) => ({ left, right: '' }));
  const [title] = rows;
  if (title !== undefined) title.right = 'Temporal';
  const isFolded = !canvas.isWhole && events.length > Math.max(foldedEvents, lines.length);
  const shown = isFolded ? events.slice(0, Math.max(foldedEvents, lines.length) - 1) : events;
  const texts = [...shown, ...(isFolded ? [{ atMs: 0, text: `… ${events.length - shown.length} more: --all shows them` }] : [])];
  let [row, timed] = [1, 0];
  for (const [index, { atMs, text }] of texts.entries()) {
    while (timed < lines.length && !((lines[timed]?.atMs ?? 0) > atMs)) timed += 1;
    // The last line that has begun by then, unless there is no room left for the rest.
    const room = rows.length - (texts.length - index);
    row = Math.max(row, Math.min(lastTimed(lines, timed), room));
    while (rows.length <= row) rows.push({ left: plain('', canvas), right: '' });
    const target = rows[row];
    if (target !== undefined) target.right = text;
    row += 1;
  }
  return rows.map(({ left, right }) => {
    if (right === '') return left;
    const gap = ' '.repeat(Math.max(0, canvas.columns - left.width) + 2);
    const fit = fitted(right, temporalColumns);
    return { text: left.text + gap + canvas.paint('dim', fit), width: canvas.columns + 2 + widthOf(fit) };
  });
}

/** Before `end`, the last line that tells of a moment. */
function lastTimed(lines: readonly Line[], end: number): number {
  for (let index = end - 1; index > 0; index -= 1) if (lines[index]?.atMs !== undefined) return index;
  return 1;
}

function below(canvas: Canvas, events: readonly Beside[]): Line[] {
  if (events.length === 0) return [];
  const isFolded = !canvas.isWhole && events.length > foldedEvents;
  const shown = isFolded ? events.slice(0, foldedEvents - 1) : events;
  return [
    plain('Temporal', canvas, 'bold'),
    ...shown.map(({ text }) => plain(fitted(text, canvas.columns), canvas, 'dim')),
    ...(isFolded ? [plain(`  … ${events.length - shown.length} more: --all shows them`, canvas, 'dim')] : []),
  ];
}

/** The steps of a turn: a bar for each request and each call, and below it what is known of it. */
import { phaseWords, protocolName, retryReason } from './explain.ts';
import { type BarPart, barLine, type Canvas, details, type Line, plain, secondsOf } from './lines.ts';
import type { ShownAttempt, ShownCall, ShownStep, ShownTimeline, ShownUsage } from './timeline.ts';

/** Of a call's arguments and result, where nothing asks for all. */
const foldedLines = 2;
/** Steps at the beginning and at the end of a long turn that are shown all the same. */
const [firstSteps, lastSteps] = [5, 10];

export function stepLines(canvas: Canvas, timeline: ShownTimeline): Line[] {
  const { steps } = timeline;
  const isFolded = !canvas.isWhole && steps.length > firstSteps + lastSteps + 1;
  const isShown = (index: number, step: ShownStep): boolean =>
    !isFolded || index < firstSteps || index >= steps.length - lastSteps || isOfInterest(step);
  const lines: Line[] = [];
  let folded = 0;
  for (const [index, step] of steps.entries()) {
    if (isShown(index, step)) {
      if (folded > 0) lines.push(plain(`… ${folded} steps without a failure: --all shows them`, canvas, 'dim'));
      folded = 0;
      lines.push(...oneStep(canvas, timeline, step));
    } else folded += 1;
  }
  return lines;
}

function isOfInterest(step: ShownStep): boolean {
  if ('calls' in step) return step.calls.some(({ outcome, runs }) => outcome !== 'completed' || runs > 1);
  return step.attempts.length > 1 || step.attempts.some(({ outcome }) => outcome !== 'completed');
}

function oneStep(canvas: Canvas, timeline: ShownTimeline, step: ShownStep): Line[] {
  const kind = { model: 'the model', compaction: 'a summary', tools: 'tools' }[step.kind];
  const head = plain(`step ${step.step}: ${kind}`, canvas, 'bold');
  if ('calls' in step) return [head, ...step.calls.flatMap((call) => callLines(canvas, call))];
  const { attempts } = step;
  return [
    head,
    ...attempts.flatMap((attempt, index) => [
      ...takeover(canvas, attempts[index - 1], attempt),
      ...attemptLines(canvas, timeline, attempt),
    ]),
  ];
}

function takeover(canvas: Canvas, before: ShownAttempt | undefined, { worker, epoch, requested_at: at }: ShownAttempt): Line[] {
  if (before?.worker === undefined || worker === undefined || before.worker === worker) return [];
  return [plain(`  another worker took over: ${workerName(canvas, worker)}, epoch ${epoch ?? '?'}`, canvas, 'yellow', Date.parse(at))];
}

const marks: { readonly [outcome: string]: readonly [mark: string, style: Parameters<Canvas['paint']>[0]] } = {
  completed: ['✓', 'green'],
  incomplete: ['✓', 'yellow'],
  failed: ['✗', 'red'],
  lost: ['✗', 'red'],
  unknown: ['?', 'red'],
  cancelled: ['■', 'yellow'],
  cut_off: ['■', 'yellow'],
  running: ['…', 'cyan'],
  waiting: ['…', 'dim'],
};

function attemptLines(canvas: Canvas, timeline: ShownTimeline, attempt: ShownAttempt): Line[] {
  const [mark, style] = marks[attempt.outcome] ?? ['–', 'yellow'];
  const beganMs = Date.parse(attempt.requested_at);
  const endedMs = attempt.ended_at === null ? canvas.toMs : Date.parse(attempt.ended_at);
  const sentMs = attempt.sent_at === undefined ? undefined : Date.parse(attempt.sent_at);
  const firstMs = attempt.first_event_at === undefined ? undefined : Date.parse(attempt.first_event_at);
  const waitMs = attempt.retry?.asked_again === true ? (attempt.wait_ms ?? 0) : 0;
  const parts: BarPart[] = [
    { fromMs: beganMs, toMs: sentMs ?? firstMs ?? endedMs, char: '░', style },
    ...(sentMs === undefined ? [] : [{ fromMs: sentMs, toMs: firstMs ?? endedMs, char: '▒', style }]),
    ...(firstMs === undefined ? [] : [{ fromMs: firstMs, toMs: endedMs, char: '█', style }]),
    ...(waitMs < 50 ? [] : [{ fromMs: endedMs, toMs: endedMs + waitMs, char: '·', style: 'dim' as const }]),
  ];
  const lines = [barLine(canvas, `  request ${attempt.attempt} ${mark}`, parts, secondsOf(endedMs - beganMs))];
  const times = timesOf(canvas, attempt);
  lines.push(...details(canvas, times, 'dim'));
  if (attempt.outcome !== 'completed') lines.push(...details(canvas, endWords(attempt), style));
  if (attempt.message !== undefined) lines.push(...details(canvas, `the provider said: ${attempt.message}`));
  for (const [depth, { name, code, message }] of (attempt.causes ?? []).entries()) {
    const what = [name, code].filter(Boolean).join(' ');
    lines.push(...details(canvas, `${depth === 0 ? 'cause' : 'caused by'}: ${what}${message === '' ? '' : `: ${message}`}`));
  }
  if (attempt.retry !== undefined) lines.push(...details(canvas, retryWords(attempt.retry)));
  for (const { at, reason } of attempt.reattached ?? [])
    lines.push(...details(canvas, `read on at ${sinceStart(canvas, at)} after ${reason}`));
  lines.push(...details(canvas, factsOf(canvas, attempt), 'dim'));
  for (const { viewer, from_event: from, last_event: last } of attempt.viewers ?? []) {
    const protocol = timeline.viewers.find((each) => each.viewer === viewer)?.protocol ?? '';
    lines.push(...details(canvas, `viewer ${viewer} (${protocolName(protocol)}) had seen ${seenWords(from, last)}`));
  }
  return lines;
}

function timesOf(canvas: Canvas, attempt: ShownAttempt): string {
  const moments = [
    ['asked', attempt.requested_at],
    ['sent', attempt.sent_at],
    ['headers', attempt.headers_at],
    ['first event', attempt.first_event_at],
    ['finish', attempt.finished_at],
    ['end', attempt.ended_at ?? undefined],
  ] as const;
  return moments.flatMap(([name, at]) => (at === undefined ? [] : [`${name} ${sinceStart(canvas, at)}`])).join(', ');
}

export function sinceStart({ fromMs }: Pick<Canvas, 'fromMs'>, at: string): string {
  const ms = Date.parse(at) - fromMs;
  return `${ms < 0 ? '-' : '+'}${secondsOf(Math.abs(ms))}`;
}

function endWords({ outcome, code, detail, phase }: ShownAttempt): string {
  const what = code === undefined ? outcome : `${outcome}: ${code}`;
  const where = phase === undefined || outcome === 'incomplete' ? '' : `; ${phaseWords(phase)}`;
  return `${what}${detail === undefined ? '' : ` (${detail})`}${where}`;
}

function retryWords({
  asked_again: isAsked,
  reason,
  wait_ms: waitMs = 0,
  requests_left: left,
}: NonNullable<ShownAttempt['retry']>): string {
  const why = retryReason(reason);
  if (!isAsked) return `not asked again: ${why}`;
  return `asked again${waitMs < 50 ? '' : ` after ${secondsOf(waitMs)}`}: ${why}; ${left} ${left === 1 ? 'request was' : 'requests were'} left`;
}

function factsOf(canvas: Canvas, attempt: ShownAttempt): string {
  const { outcome, usage, provider_request_id: id, provider_response_id: kept, worker, epoch } = attempt;
  return [
    ...(usage == null ? [] : [usageWords(usage)]),
    ...(usage == null && outcome === 'completed' ? ['the provider did not say how many tokens'] : []),
    ...(id === undefined ? [] : [`request id ${id}`]),
    ...(kept === undefined ? [] : [`kept by the provider as ${kept}`]),
    ...(worker === undefined ? [] : [`worker ${workerName(canvas, worker)}`]),
    ...(epoch === undefined ? [] : [`epoch ${epoch}`]),
  ].join(', ');
}

/** Process and the beginning of what is random in its name: enough to tell it from others. */
function workerName({ isWhole }: Canvas, worker: string): string {
  return isWhole ? worker : worker.replace(/(-[0-9a-f]{8})-[0-9a-f-]{27}$/, '$1');
}

export function usageWords({
  input_tokens: input,
  input_tokens_details: inDetail,
  output_tokens: output,
  cost_usd: cost,
}: ShownUsage): string {
  const cached = inDetail === undefined || inDetail.cached_tokens === 0 ? '' : ` (${whole(inDetail.cached_tokens)} cached)`;
  return `${whole(input)} tokens in${cached}, ${whole(output)} out${cost === undefined ? '' : `, $${cost.toFixed(cost < 1 ? 4 : 2)}`}`;
}

function whole(amount: number): string {
  return amount.toLocaleString('en-US');
}

/** Events `from` to `last`. */
export function seenWords(from: number, last: number | null): string {
  if (last === null) return from === 0 ? 'nothing' : `nothing behind event ${from - 1}`;
  return from === last ? `event ${from}` : `events ${from}-${last}`;
}

function callLines(canvas: Canvas, call: ShownCall): Line[] {
  const [mark, style] = marks[call.outcome] ?? ['–', 'yellow'];
  const runs = call.attempts.length > 0 ? call.attempts : runOf(call);
  const parts = runs.map(({ started_at: began, ended_at: ended, outcome }) => ({
    fromMs: Date.parse(began),
    toMs: ended === null ? canvas.toMs : Date.parse(ended),
    char: '▓',
    style: marks[outcome]?.[1] ?? style,
  }));
  const [first, last] = [parts[0], parts.at(-1)];
  const amount = first === undefined || last === undefined ? '–' : secondsOf(last.toMs - first.fromMs);
  const of = call.server_label === 'turnkeep' ? '' : ` of ${call.server_label}`;
  const lines = [barLine(canvas, `  ${call.name} ${mark}`, parts, amount)];
  lines.push(...details(canvas, `${call.name}${of}(${call.arguments ?? ''})`, undefined, foldedLines));
  if (call.approval !== undefined) lines.push(...details(canvas, approvalWords(canvas, call.approval)));
  if (call.outcome !== 'completed' || runs.length > 1) lines.push(...details(canvas, runsWords(canvas, call), style));
  if (call.progress !== undefined) lines.push(...details(canvas, `last said: ${call.progress}`, undefined, foldedLines));
  if (call.result_preview !== undefined) lines.push(...details(canvas, `→ ${call.result_preview}`, undefined, foldedLines));
  const more = call.result_bytes !== undefined && call.result_bytes > Buffer.byteLength(call.result_preview ?? '');
  if (more) lines.push(...details(canvas, `all ${whole(call.result_bytes ?? 0)} bytes: GET ${call.result ?? ''}`, 'dim'));
  const workers = [...new Set(call.attempts.flatMap(({ worker }) => worker ?? []))];
  const facts = [
    ...(call.turn === undefined ? [] : [`carried out by turn ${call.turn}`]),
    ...(call.usage === undefined ? [] : [usageWords(call.usage)]),
    ...(workers.length === 0 ? [] : [`worker ${workers.map((worker) => workerName(canvas, worker)).join(', ')}`]),
    `call ${call.call_id}`,
  ];
  return [...lines, ...details(canvas, facts.join(', '), 'dim')];
}

function runOf({ started_at: began, ended_at: ended, outcome }: ShownCall): ShownCall['attempts'] {
  return began === null ? [] : [{ started_at: began, ended_at: ended, outcome }];
}

function runsWords(canvas: Canvas, { outcome, attempts, runs }: ShownCall): string {
  const words: { readonly [outcome: string]: string } = {
    unknown: 'outcome unknown: its worker was lost, and it may have done all, some or nothing',
    cut_off: 'cut off: the turn ended first',
    waiting: 'not begun yet',
  };
  const each = attempts.map(
    (run, index) => `run ${index + 1} ${run.outcome}${run.worker === undefined ? '' : ` (${workerName(canvas, run.worker)})`}`,
  );
  return [words[outcome] ?? outcome, ...(runs > 1 ? each : [])].join('; ');
}

export function approvalWords(
  canvas: Canvas,
  approval: {
    readonly asked_by?: string | undefined;
    readonly approved?: boolean | undefined;
    readonly answered_by?: string | undefined;
    readonly answered_at?: string | undefined;
  },
): string {
  const { asked_by: asker, approved, answered_by: by, answered_at: at } = approval;
  const asked = asker === undefined ? '' : ` asked for by turn ${asker}`;
  if (approved === undefined && at === undefined) return `approval${asked}: not answered yet`;
  const answer = approved === false ? 'refused' : 'approved';
  return `approval${asked}: ${answer}${by === undefined ? '' : ` by turn ${by}`}${at === undefined ? '' : ` at ${sinceStart(canvas, at)}`}`;
}

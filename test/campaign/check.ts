/** The laws (T1-T14), of everything that an operation log says. Pure: a log can be checked again at any time. */
import { type Entry, hashChars, type KeptTurn } from './record.ts';

export interface Violation {
  readonly law: string;
  readonly turn: string;
  readonly what: string;
}

/** Ends that a disturbed turn may have; all others are faults of turnkeep. */
const codesOfFaults: ReadonlySet<string> = new Set([
  'transport_failed',
  'stream_interrupted',
  'stream_truncated',
  'worker_lost',
  'provider_busy',
  'model_timeout',
]);
const requestsPerStep = 3;
const runsOfTools = { once: 1, again: 3, mail: 1 } as const;
/** Of one process: a leak is more than this. */
const mostMemoryMb = 1_024;
/** Within this time after the last disturbance every turn has its end: leases, retries and timers, on a machine that is busy. */
const quietLimitMs = 180_000;

type Of<Op extends Entry['op']> = Extract<Entry, { readonly op: Op }>;

export function checkLog(entries: readonly Entry[]): readonly Violation[] {
  const violations: Violation[] = [];
  const all = <Op extends Entry['op']>(op: Op): readonly Of<Op>[] => entries.filter((entry): entry is Of<Op> => entry.op === op);
  const report = (law: string, turn: string, what: string): void => void violations.push({ law, turn, what });
  const [posts, accepted, views, answers] = [byTurn(all('post')), byTurn(all('accepted')), byTurn(all('viewed')), byTurn(all('answered'))];
  const [cancels, cancelled, requests, kept] = [
    byTurn(all('cancel')),
    byTurn(all('cancelled')),
    byTurn(all('request')),
    byTurn(all('kept')),
  ];
  /** Posted without a key and without an answer: there may be two of them. */
  const unsure = new Set(all('unsure').map(({ turn }) => turn));
  const interrupted = new Set(all('post').map(({ interrupts }) => interrupts));

  for (const [turn, of] of accepted) {
    if (!kept.has(turn)) report('T1', turn, 'it was accepted, and is lost');
    if (unsure.has(turn)) continue;
    const ids = new Set(of.map(({ id }) => id));
    if (ids.size > 1) report('T1', turn, `one turn was taken in ${ids.size} times: ${[...ids].join(', ')}`);
  }
  for (const turn of posts.keys()) if (!accepted.has(turn)) report('contract', turn, 'it was posted again and again, and never accepted');
  for (const [turn, of] of kept) {
    if (of.length > 1 && unsure.has(turn)) {
      if (overlap(of)) report('T1', turn, 'a retry without a key is another turn, and the first had no end yet');
      continue;
    }
    if (of.length > 1) report('T1', turn, `there are ${of.length} of it: ${of.map(({ id }) => id).join(', ')}`);
    if (!posts.has(turn)) report('T1', turn, 'nobody has posted it');
    for (const each of of) {
      checkJournal(each, views.get(turn) ?? [], report);
      checkRequests(each, requests.get(turn) ?? [], views.get(turn) ?? [], report);
      checkEnd(each, {
        isCancelAsked: cancels.has(turn) || interrupted.has(turn),
        isCancelAccepted: (cancelled.get(turn) ?? []).some(({ answer }) => answer === 'accepted'),
        cameBefore: (cancelled.get(turn) ?? []).find(({ answer }) => answer === 'unknown')?.atMs ?? Number.POSITIVE_INFINITY,
        postedAtMs: posts.get(turn)?.[0]?.atMs ?? 0,
        requests: requests.get(turn)?.length ?? 0,
        bodies: answers.get(turn) ?? [],
        report,
      });
    }
  }
  for (const request of all('request')) {
    const { turn, said, malformed } = request;
    const twice = said.filter((each, at) => said.indexOf(each) !== at);
    if (twice.some((each) => !unsure.has(each))) report('T1', turn, `the model was told more than once what was said: ${twice.join(', ')}`);
    if (said.at(-1) !== turn) report('T1', turn, 'the model was asked without being told what was said');
    for (const what of malformed) report('T13', turn, what);
  }
  checkConversations(all('conversation'), all('post'), kept, (law, turn, what) => {
    if (!unsure.has(turn)) report(law, turn, what);
  });
  checkTools(all('tool'), report);
  for (const { turn, what } of all('client saw')) report('contract', turn, what);
  for (const { same, diverged } of all('replayed')) {
    for (const what of diverged) report('T10', '', what);
    if (same === 0) report('T10', '', 'no run could be replayed');
  }
  for (const turn of all('open requests').flatMap(({ turns }) => turns))
    report('T5', turn, 'it has its end, and its request is still open');
  for (const { place } of all('leak')) report('T11', '', `a secret is in ${place}`);
  for (const { process, mostMb } of all('memory')) {
    if (mostMb > mostMemoryMb) report('T14', '', `${process} held ${mostMb.toFixed(0)} MB`);
  }
  for (const { process, how } of all('process ended by itself')) report('process', '', `${process} ended by itself: ${how}`);
  const quiet = all('quiet');
  if (quiet.length === 0) report('end', '', 'nobody has looked whether all turns have their ends');
  for (const { left, tookMs } of quiet) {
    for (const turn of left) report('T6', turn, 'it has no end');
    if (tookMs > quietLimitMs) report('T6', '', `it took ${(tookMs / 1_000).toFixed(0)} s until every turn had its end`);
  }
  return violations;
}

function byTurn<T extends { readonly turn: string }>(entries: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(entries, ({ turn }) => turn);
}

/** Was one of them ready before another that was ready earlier had its end? */
function overlap(turns: readonly KeptTurn[]): boolean {
  const inOrder = turns.flatMap(({ readyAtMs, settledAtMs }) =>
    readyAtMs === null ? [] : [{ readyAtMs, endMs: settledAtMs ?? Number.POSITIVE_INFINITY }],
  );
  return inOrder
    .toSorted((one, other) => one.readyAtMs - other.readyAtMs)
    .some(({ readyAtMs }, at, sorted) => readyAtMs < (sorted[at - 1]?.endMs ?? Number.NEGATIVE_INFINITY));
}

type Report = (law: string, turn: string, what: string) => void;

function checkJournal({ turn, rows, ends, isDone, gaps, openItems }: KeptTurn, views: readonly Of<'viewed'>[], report: Report): void {
  const count = rows.length / hashChars;
  for (const gap of gaps) report('T7', turn, gap);
  if (ends.length !== 1 || ends[0] !== count - 1 || !isDone)
    report('T6', turn, `of ${count} events ${ends.length} are ends (${ends.join(', ')}), [DONE] ${isDone ? 'is' : 'is not'} there`);
  if (openItems > 0) report('T6', turn, `${openItems} items are still open behind its end`);
  for (const view of views) {
    const from = (view.after + 1) * hashChars;
    const seen = view.rows.length / hashChars;
    if (!rows.startsWith(view.rows, from))
      report('T7', turn, `a viewer saw ${seen} events behind ${view.after} that are not the journal's`);
    if (view.isDone && from + view.rows.length !== rows.length)
      report('T7', turn, `a viewer saw [DONE] behind event ${view.after + seen} of ${count}`);
  }
}

/** Each token says which step, which of its requests, and which of the request's tokens it is: `1.2.3`. */
function checkRequests(kept: KeptTurn, requests: readonly Of<'request'>[], views: readonly Of<'viewed'>[], report: Report): void {
  const { turn, attempts, text, status, code } = kept;
  if (requests.length > attempts.length) report('T2', turn, `${requests.length} requests, ${attempts.length} of them booked`);
  for (const [step, made] of Map.groupBy(attempts, (attempt) => attempt.step)) {
    if (made.length > requestsPerStep) report('T3', turn, `${made.length} requests are booked for step ${step}`);
    const started = made.findIndex(({ hasStarted }) => hasStarted);
    if (started >= 0 && started < made.length - 1) report('T2', turn, `step ${step} had started, and another request was booked`);
  }
  let last = 0;
  for (const { step } of requests) {
    if (step < last) report('T2', turn, `step ${step} was asked for again behind step ${last}`);
    last = Math.max(last, step);
  }
  const shown = Map.groupBy(text.split(' ').filter(Boolean), (token) => Number(token.split('.')[0]));
  for (const [step, made] of Map.groupBy(requests, (request) => request.step)) {
    if (made.length > requestsPerStep) report('T3', turn, `${made.length} requests came for step ${step}`);
    const firstSeenAtMs = Math.min(
      ...views.flatMap(({ firstTokens }) => firstTokens.filter((first) => first.step === step).map(({ atMs }) => atMs)),
    );
    if (made.some(({ atMs }) => atMs > firstSeenAtMs)) report('T2', turn, `step ${step} was asked for again behind its first token`);
    const tokens = shown.get(step) ?? [];
    const nth = Number(tokens[0]?.split('.')[1]);
    if (tokens.length > 0 && nth !== made.length)
      report('T2', turn, `of step ${step} request ${nth} was shown, and the model was asked ${made.length} times`);
    if (tokens.some((token, at) => token !== `${step}.${nth}.${at}`))
      report('T7', turn, `what is shown of step ${step} is not one answer from its beginning: ${tokens.join(' ')}`);
    const isWhole = status === 'completed' || step < last;
    if (isWhole && tokens.length !== made.at(-1)?.tokens)
      report('T8', turn, `step ${step} counts as whole with ${tokens.length} of ${made.at(-1)?.tokens} tokens`);
    if (isWhole && attempts.length > 0 && attempts.findLast((attempt) => attempt.hasStarted) === undefined)
      report('T2', turn, `step ${step} counts as whole, and never started`);
  }
  for (const step of shown.keys()) {
    if (!requests.some((request) => request.step === step)) report('T8', turn, `step ${step} is shown, and was never asked for`);
  }
  if (status === 'completed' && attempts.at(-1)?.outcome !== 'completed')
    report('T8', turn, `completed, and its last attempt is ${attempts.at(-1)?.outcome ?? 'none'}`);
  const hasShown = attempts.some(({ hasStarted }) => hasStarted);
  if (code === 'transport_failed' && text !== '' && attempts.at(-1)?.hasStarted === true)
    report('T8', turn, 'transport_failed, and something of its last step was shown');
  if (code === 'worker_lost' && !hasShown) report('T3', turn, 'worker_lost, and nothing had started');
}

interface EndFacts {
  readonly isCancelAsked: boolean;
  readonly isCancelAccepted: boolean;
  /** When a cancel was answered that came before the turn. */
  readonly cameBefore: number;
  readonly postedAtMs: number;
  readonly requests: number;
  readonly bodies: readonly Of<'answered'>[];
  readonly report: Report;
}

function checkEnd({ turn, status, code, body }: KeptTurn, facts: EndFacts): void {
  const { isCancelAsked, isCancelAccepted, cameBefore, postedAtMs, requests, bodies, report } = facts;
  if (isCancelAccepted && status !== 'cancelled') report('T5', turn, `its cancel was accepted, and it is ${status} ${code ?? ''}`);
  if (status === 'cancelled' && !isCancelAsked) report('T9', turn, 'cancelled, and nobody has asked for that');
  if (cameBefore < postedAtMs && (status !== 'cancelled' || requests > 0))
    report('T5', turn, `its cancel came before it, and it is ${status} with ${requests} requests`);
  if (status === 'failed' && !codesOfFaults.has(code ?? '')) report('contract', turn, `failed, ${code}`);
  if (status !== 'failed' && status !== 'cancelled' && status !== 'completed') report('contract', turn, `its status is ${status}`);
  for (const answer of bodies) if (answer.body !== body) report('T7', turn, 'the body of its POST is not what its last event has');
}

/** T1: what was accepted was said once, in its own conversation, in the order of acceptance. */
function checkConversations(
  conversations: readonly Of<'conversation'>[],
  posts: readonly Of<'post'>[],
  kept: ReadonlyMap<string, readonly KeptTurn[]>,
  report: Report,
): void {
  const sessionOf = new Map(posts.map(({ turn, session }) => [turn, session]));
  const said = new Map(conversations.map((each) => [each.session, each.said]));
  for (const [session, of] of said) {
    for (const turn of new Set(of))
      if (sessionOf.get(turn) !== session) report('T1', turn, `it is said in ${session}, where it was not sent`);
  }
  for (const turn of kept.keys()) {
    const times = said.get(sessionOf.get(turn) ?? '')?.filter((each) => each === turn).length ?? 0;
    if (times !== 1) report('T1', turn, `its conversation has its words ${times} times`);
  }
}

function checkTools(notes: readonly Of<'tool'>[], report: Report): void {
  for (const [call, of] of Map.groupBy(notes, (note) => note.call)) {
    const begun = of.filter(({ word }) => word === 'begun');
    const mayRun = runsOfTools[of[0]?.tool ?? 'once'];
    if (begun.length > mayRun) report('T2', call, `the call ran ${begun.length} times, and may ${mayRun}`);
    if (new Set(of.map(({ key }) => key)).size > 1) report('T2', call, 'the call ran under more than one idempotency key');
  }
}

/** What a turn of a soak must have come to, whatever was killed meanwhile. */
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { clockMs } from '../support/clock.ts';
import { exchange } from './exchange.ts';
import type { Disturbed, TurnRecord } from './record.ts';
import { digestOf, endOf, eventBlocks, type FinalResponse, View } from './view.ts';

/** A turn as the gateways, the model server and the database have it. */
export interface TurnFacts {
  readonly turn: TurnRecord;
  /** Of each gateway, the stream as it came, without comments. */
  readonly streams: readonly string[][];
  /** When its requests came to the model, on `clockMs`. */
  readonly arrivals: readonly number[];
  readonly attempts: readonly AttemptRow[];
  readonly row: TurnRow | undefined;
}

export interface Verdict {
  /** Undefined where no end was found. */
  readonly end: string | undefined;
  readonly output: FinalResponse['output'];
  readonly problems: readonly string[];
}

/** A lost attempt is found within its lease, 8 s, and 2 s; more, for the machine is busy. */
const lossMs = 15_000;
const requestsPerTurn = 3;

/** The events of a turn on a gateway. @throws where it does not give them whole */
export async function readEvents(gateway: string, id: string, signal: AbortSignal): Promise<string[]> {
  let text = '';
  const onText = (piece: string): void => void (text += piece);
  const url = `${gateway}/v1/responses/${id}?stream=true`;
  const result = await exchange({ method: 'GET', url, patienceMs: 20_000, signal, onText });
  if (result.type === 'broken') throw new Error(`${url} broke: ${result.why}`);
  if (result.status !== 200) throw new Error(`${url} answered ${result.status}: ${result.text}`);
  if (!text.endsWith('data: [DONE]\n\n')) throw new Error(`${url} ends with ${text.slice(-200)}`);
  return eventBlocks(text);
}

export function checkTurn(facts: TurnFacts, disturbed: readonly Disturbed[]): Verdict {
  const { turn, streams } = facts;
  const [blocks = []] = streams;
  const whole = new View();
  whole.feed(blocks.join(''));
  const { final, problems } = whole;
  if (whole.ends !== 1) problems.push(`${whole.ends} ends`);
  for (const [at, other] of streams.entries()) {
    if (other.join('') !== blocks.join('')) problems.push(`gateway ${at} shows other bytes than the first`);
  }
  for (const [at, view] of turn.views.entries()) {
    problems.push(...view.problems.map((problem) => `view ${at}: ${problem}`));
    if (view.count > blocks.length || view.digest !== digestOf(blocks.slice(0, view.count)))
      problems.push(`view ${at} saw ${view.count} events that are no prefix of the journal`);
  }
  if (final === undefined) return { end: undefined, output: [], problems };
  const end = endOf(final);
  problems.push(...checkEnd(facts, end, disturbed), ...checkText(facts, end, whole.text), ...checkRequests(facts));
  for (const { tookMs } of lossesOf(facts, disturbed)) {
    if (tookMs > lossMs) problems.push(`a lost attempt was found after ${(tookMs / 1_000).toFixed(1)} s`);
  }
  const { body, cancel } = turn;
  // Blanks before it keep the connection alive.
  if (body !== undefined && body.trimStart() !== JSON.stringify(final)) problems.push(`the body of the POST is another one: ${body}`);
  if (cancel === 'accepted' && end !== 'cancelled') problems.push(`a cancel was accepted, and the end is ${end}`);
  if (facts.row?.status !== final.status) problems.push(`the row says ${facts.row?.status}, the journal ${final.status}`);
  return { end, output: final.output, problems };
}

function checkEnd({ turn, attempts }: TurnFacts, end: string, disturbed: readonly Disturbed[]): string[] {
  const { fault, tokens } = turn.plan.order;
  if (turn.hasCancelled === true && turn.cancel !== 'late' && end === 'cancelled') return [];
  const plain = fault === undefined || fault.type === 'reset' || fault.times < requestsPerTurn ? 'completed' : 'transport_failed';
  const expected = fault?.type === 'reset' && fault.behind < tokens ? 'stream_interrupted' : plain;
  if (end === expected) return [];
  const lost = lossesOf({ attempts }, disturbed);
  if (lost.length === 0) return [`it ended ${end} instead of ${expected}, and no process that ran it was disturbed meanwhile`];
  if (end === 'worker_lost' && attempts.at(-1)?.outcome === 'lost') return [];
  if (attempts.length === requestsPerTurn && (end === 'transport_failed' || end === 'provider_busy')) return [];
  return [`it ended ${end} instead of ${expected}`];
}

/** The disturbances by which attempts were lost, with how long it took until that was booked, ms. */
export function lossesOf({ attempts }: Pick<TurnFacts, 'attempts'>, disturbed: readonly Disturbed[]): { readonly tookMs: number }[] {
  return attempts.flatMap(({ outcome, holder = '', requestedAtMs, endedAtMs = Number.NaN }) => {
    if (outcome !== 'lost') return [];
    const hit = disturbed.find(({ pid, atMs }) => holder.startsWith(`${pid}-`) && fromEpoch(endedAtMs) > atMs);
    return hit === undefined ? [] : [{ tookMs: fromEpoch(endedAtMs) - Math.max(hit.atMs, fromEpoch(requestedAtMs)) }];
  });
}

const epochMs = Date.now() - clockMs();

function fromEpoch(ms: number): number {
  return ms - epochMs;
}

/** Each token tells which request it is of. */
function checkText({ turn, arrivals }: TurnFacts, end: string, text: string): string[] {
  const shown = text.split(' ').slice(1);
  const [request] = shown[0]?.split('.') ?? [];
  const problems: string[] = [];
  if (shown.some((token, at) => token !== `${request}.${at}`)) problems.push(`the text is not one answer from its start: ${text}`);
  if (end === 'completed' && shown.length !== turn.plan.order.tokens) problems.push(`a completed answer of ${shown.length} tokens`);
  if (end === 'worker_lost' && shown.length === 0) problems.push('worker_lost, and nothing was shown');
  if ((end === 'transport_failed' || end === 'provider_busy') && shown.length > 0) problems.push(`${end}, and something was shown`);
  if (shown.length > 0 && Number(request) !== arrivals.length)
    problems.push(`request ${request} was shown, and the model was asked ${arrivals.length} times (T2)`);
  return problems;
}

function checkRequests({ turn, arrivals, attempts }: TurnFacts): string[] {
  const problems: string[] = [];
  if (arrivals.length > requestsPerTurn) problems.push(`${arrivals.length} requests to the model`);
  if (attempts.length > requestsPerTurn) problems.push(`${attempts.length} attempts in the database`);
  if (arrivals.length > attempts.length) problems.push(`${arrivals.length} requests to the model, ${attempts.length} of them booked`);
  const shownAtMs = Math.min(...turn.views.map(({ firstDeltaAtMs }) => firstDeltaAtMs ?? Number.POSITIVE_INFINITY));
  if (arrivals.some((atMs) => atMs > shownAtMs)) problems.push('a request to the model behind the first token (T2)');
  const started = attempts.findIndex(({ firstEventAtMs }) => firstEventAtMs !== undefined);
  if (started >= 0 && started !== attempts.length - 1) problems.push(`attempt ${started + 1} had started, and another one was booked (T2)`);
  return problems;
}

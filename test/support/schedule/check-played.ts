/** The laws, of every turn of a schedule. */
import assert from 'node:assert/strict';
import type { AttemptRow } from '../../../src/domain/turn/attempt.ts';
import type { Item } from '../../../src/domain/item.ts';
import type { ToolCallRow } from '../../../src/domain/agents/tool-call.ts';
import type { TurnRow } from '../../../src/domain/turn/turn.ts';
import { requestsPerStep } from '../../../src/domain/turn/retry-policy.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import type { Happening, Played, PlayedTurn } from './happening.ts';
import { tokensPerAnswer } from './model.ts';
import { attemptsOfTools } from './tools.ts';

type Sent = Extract<Happening, { type: 'sent' }>;

/** All that is known of one turn. */
interface Seen {
  readonly name: string;
  readonly played: PlayedTurn;
  readonly turn: TurnRow;
  readonly attempts: readonly AttemptRow[];
  readonly calls: readonly ToolCallRow[];
  /** What concerns it. */
  readonly happened: readonly Happening[];
  readonly sent: readonly Sent[];
}

/** @returns how often something worth mentioning was met: ends by their code, and rare ways */
export async function checkPlayed(store: Store, { turns, happened, errors, resets }: Played): Promise<ReadonlyMap<string, number>> {
  assert.deepEqual(errors, [], 'no error of our own');
  const sights = new Map<string, number>([['reset', resets]]);
  const sight = (what: string, isMet = true): void => {
    if (isMet) sights.set(what, (sights.get(what) ?? 0) + 1);
  };
  const byTurn = Map.groupBy(happened, (each) => turnOf(each, turns));
  for (const [name, played] of turns) {
    const { id } = played;
    const turn = await store.readTurn(id);
    assert.ok(turn?.settledAtMs != null, `${name} has its end`);
    const own = byTurn.get(id) ?? [];
    const seen: Seen = {
      name,
      played,
      turn,
      attempts: await store.readAttempts(id),
      calls: await store.readToolCalls(id),
      happened: own,
      sent: own.filter((each) => each.type === 'sent'),
    };
    await checkJournal(store, seen);
    checkEnd(seen);
    checkRequests(seen);
    checkCalls(seen);
    checkBudget(seen, (await store.readResponse(id))?.error?.message ?? '');
    sight(turn.errorCode ?? turn.status);
    sight(
      'three steps',
      seen.sent.some(({ step }) => step === 3),
    );
    sight('three requests', seen.sent.filter(({ step }) => step === 1).length === requestsPerStep);
    sight('viewed', played.views.length > 0);
    for (const { outcome, runs } of seen.calls) {
      sight(`call ${outcome}`);
      sight('call run again', runs > 1);
      sight('call never begun', runs === 0);
    }
    sight(
      'approved',
      own.some((each) => each.type === 'begun' && each.tool === 'mail'),
    );
  }
  return sights;
}

function turnOf(happening: Happening, turns: Played['turns']): string | undefined {
  switch (happening.type) {
    case 'sent':
      return turns.get(happening.turn)?.id;
    case 'started':
    case 'overtaken':
      return happening.id;
    case 'begun':
    case 'ended':
      return happening.key.slice(0, happening.key.lastIndexOf('/'));
  }
}

async function checkJournal(store: Store, { name, turn, played, happened }: Seen): Promise<void> {
  const overtaken = happened.filter(({ type }) => type === 'overtaken');
  assert.deepEqual(overtaken, [], `T7 · ${name}: a lower epoch writes no more`);
  const rows = await store.readJournal(turn.id);
  assert.ok(
    rows.every(({ seq }, index) => seq === index),
    `T7 · ${name}: no gap`,
  );
  for (const view of played.views) assert.deepEqual(view, rows, `T7 · ${name}: a viewer has seen all of it, once and in order`);
  const finals = rows.filter(({ type }) => /^response\.(completed|incomplete|failed)$/.test(type));
  assert.deepEqual([finals.length, finals[0]?.seq], [1, rows.length - 1], `T6 · ${name}: one end`);
  const response = await store.readResponse(turn.id);
  for (const item of response?.output ?? []) assert.notEqual(item.status, 'in_progress', `${name}: nothing stays open`);
}

function checkEnd({ name, played, turn, attempts, sent }: Seen): void {
  const { status, errorCode } = turn;
  assert.notEqual(errorCode, 'internal_error', name);
  if (played.isCancelAccepted) assert.equal(status, 'cancelled', `T5 · ${name}: an accepted cancel wins`);
  if (turn.cancelRequestedAtMs !== null) assert.notEqual(status, 'failed', `T5 · ${name}: a cancel that is booked wins over a failure`);
  if (status === 'cancelled') assert.ok(played.isCancelAsked, `T9 · ${name}: nobody has asked for its cancel`);
  for (const { step } of sent) {
    const isBooked = attempts.some((attempt) => attempt.step === step);
    assert.ok(isBooked, `T3 · ${name}: step ${step}`);
  }
  if (status !== 'completed') return;
  const known = attempts.filter(({ usage }) => usage !== undefined).length;
  assert.equal(turn.usage?.output_tokens, known * tokensPerAnswer, `${name}: the usage is the sum of its steps`);
  for (const step of new Set(attempts.map((attempt) => attempt.step))) {
    assert.equal(attempts.findLast((attempt) => attempt.step === step)?.outcome, 'completed', `T8 · ${name}: step ${step}`);
  }
}

function checkRequests({ name, happened, attempts, sent }: Seen): void {
  const begun = new Set<number>();
  let last = 0;
  for (const each of happened) {
    if (each.type === 'started') begun.add(each.step);
    if (each.type !== 'sent') continue;
    assert.ok(!begun.has(each.step), `T2 · ${name}: step ${each.step} is asked again though it has started`);
    assert.ok(each.step >= last, `T2 · ${name}: step ${each.step} is asked again behind a later one`);
    last = each.step;
    assert.equal(each.items.filter((item) => says(item, name)).length, 1, `T1 · ${name}`);
  }
  for (const [step, requests] of Map.groupBy(sent, (each) => each.step)) {
    const booked = attempts.filter((attempt) => attempt.step === step).length;
    const title = `T3 · ${name}: ${requests.length} requests of step ${step}, ${booked} booked`;
    assert.ok(requests.length <= requestsPerStep && requests.length <= booked, title);
  }
}

function says(item: Item, text: string): boolean {
  return item.type === 'message' && item.content.some((part) => 'text' in part && part.text === text);
}

function checkCalls({ name, happened, calls, sent }: Seen): void {
  for (const call of calls) {
    const { call_id: callId } = call.origin;
    const title = `${name}: ${callId}`;
    const runs = happened.filter((each) => each.type === 'begun' && each.call === callId).length;
    assert.ok(runs <= (attemptsOfTools[call.name] ?? 0) && runs <= call.runs, `${title}: ${runs} of ${call.runs} runs`);
    assert.ok(call.outcome !== undefined, `${title} has its end`);
    if (call.outcome === 'completed') {
      assert.ok(
        happened.some((each) => each.type === 'ended' && each.call === callId),
        `T8 · ${title} has ended`,
      );
    }
    const last = sent.findLast(({ step }) => step >= call.step);
    if (last === undefined) continue;
    const told = last.items.filter((item) => item.type === 'function_call_output' && item.call_id === callId);
    assert.equal(told.length, 1, `T13 · ${title}: one output`);
    const [output] = told;
    const text = output?.type === 'function_call_output' && typeof output.output === 'string' ? output.output : '';
    if (call.outcome === 'completed') assert.equal(text, `${callId} is done`, title);
    else if (call.outcome === 'unknown') assert.match(text, /outcome .*unknown/, title);
    else assert.match(text, /^Error: (?!This call was stopped)/, `${title}: every call has its end before the model is told`);
  }
}

/** T14, of what a turn may use up. */
function checkBudget({ name, played: { limits = {} }, turn, attempts, happened, sent }: Seen, message: string): void {
  const { steps = Number.POSITIVE_INFINITY, toolCalls = Number.POSITIVE_INFINITY, outputTokens = Number.POSITIVE_INFINITY } = limits;
  for (const { step } of sent) {
    assert.ok(step <= steps, `T14 · ${name}: step ${step} of ${steps}`);
    const spent = attempts.filter((attempt) => attempt.step < step).reduce((sum, attempt) => sum + (attempt.usage?.output_tokens ?? 0), 0);
    assert.ok(spent < outputTokens, `T14 · ${name}: step ${step} is asked for behind ${spent} of ${outputTokens} tokens`);
  }
  const begun = happened.flatMap((each) => (each.type === 'begun' ? each : []));
  const made = new Set(begun.map(({ key }) => key)).size;
  assert.ok(made <= toolCalls, `T14 · ${name}: ${made} of ${toolCalls} calls`);
  const isOfLastStep = begun.some(({ call }) => call.startsWith(`${name}-`) && Number(call.split('-')[1]) >= steps);
  assert.ok(!isOfLastStep, `T14 · ${name}: a call of its last step is run`);
  if (turn.errorCode !== 'budget_exceeded') return;
  const [, limit = '', value] = /its limit of (\w+) is (\d+)/.exec(message) ?? [];
  assert.equal(Number(value), limits[limit as keyof typeof limits], `${name}: ${message}`);
}

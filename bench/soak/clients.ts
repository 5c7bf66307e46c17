/** The clients of a soak: they post, watch and cancel turns, and go to another gateway whenever theirs lets them down. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import type { Dice } from './dice.ts';
import { exchange, isPassing } from './exchange.ts';
import type { TurnRecord } from './record.ts';
import { View } from './view.ts';

export interface Clients {
  readonly gateways: readonly string[];
  /** Aborts when nothing is waited for any more. */
  readonly signal: AbortSignal;
  readonly onViolation: (what: string, turn?: TurnRecord) => void;
  /** Words for a time. */
  readonly at: (atMs: number) => string;
}

/** Posts a turn, until it is accepted, and sees it to its end. Resolves then, or when `signal` aborts. */
export async function postTurn(clients: Clients, turn: TurnRecord, dice: Dice): Promise<void> {
  const { plan, talk } = turn;
  const body = JSON.stringify({
    input: JSON.stringify(plan.order),
    stream: !plan.isBlocking,
    ...(talk === undefined ? {} : { conversation: talk.id }),
  });
  const view = plan.isBlocking ? undefined : addView(turn);
  const others: Promise<void>[] = [];
  const onAccepted = (id: string): void => {
    if (turn.id === id) return;
    if (turn.id !== undefined) clients.onViolation(`one key, two turns: ${turn.id} and ${id}`, turn);
    turn.id = id;
    turn.acceptedAtMs = clockMs();
    if (plan.isWatched) others.push(follow(clients, turn, addView(turn), dice));
  };
  for (let from: string | undefined; ;) {
    const gateway = dice.pick(clients.gateways.filter((url) => url !== from));
    note(clients, turn, `posted to ${gateway}`);
    const result = await exchange({
      method: 'POST',
      url: `${gateway}/v1/responses`,
      body,
      // The same at every post.
      key: plan.order.marker,
      patienceMs: plan.patienceMs,
      signal: clients.signal,
      onHeaders: (status, id) => {
        if (status !== 200) return;
        note(clients, turn, `accepted as ${id}`);
        if (id === undefined) clients.onViolation('an answer without the id of its response', turn);
        else onAccepted(id);
      },
      ...(view === undefined ? {} : { onText: (piece) => take(clients, turn, view, piece, others, dice) }),
    });
    from = gateway;
    if (result.type === 'broken') note(clients, turn, `post broke: ${result.why}`);
    else if (result.status === 200) {
      if (plan.isBlocking) turn.body = result.text;
      else if (view?.isDone !== true) clients.onViolation('a whole answer without [DONE]', turn);
      break;
    } else if (isPassing(result.status)) note(clients, turn, `post answered ${result.status}: ${result.text}`);
    else {
      clients.onViolation(`a post was answered ${result.status}: ${result.text}`, turn);
      return;
    }
    if (clients.signal.aborted) return;
    if (view !== undefined && turn.id !== undefined) {
      await follow(clients, turn, view, dice, others, gateway);
      break;
    }
    await pause(clients, dice);
  }
  if (turn.body !== undefined || view?.isDone === true) {
    turn.endedAtMs ??= clockMs();
    note(clients, turn, 'ended');
  }
  await Promise.all(others);
}

/** Reads the stream of a turn behind what the view has, on one gateway after the other, to its end. */
async function follow(
  clients: Clients,
  turn: TurnRecord,
  view: View,
  dice: Dice,
  others: Promise<void>[] = [],
  last?: string,
): Promise<void> {
  for (let from = last; !view.isDone;) {
    if (from !== undefined) await pause(clients, dice);
    if (clients.signal.aborted) return;
    view.reconnect();
    const gateway = dice.pick(clients.gateways.filter((url) => url !== from));
    const after = view.count === 0 ? '' : `&starting_after=${view.count - 1}`;
    note(clients, turn, `view ${turn.views.indexOf(view)} reads from ${gateway} behind ${view.count - 1}`);
    const result = await exchange({
      method: 'GET',
      url: `${gateway}/v1/responses/${turn.id}?stream=true${after}`,
      patienceMs: turn.plan.patienceMs,
      signal: clients.signal,
      onText: (piece) => take(clients, turn, view, piece, others, dice),
    });
    from = gateway;
    if (result.type === 'broken') note(clients, turn, `view ${turn.views.indexOf(view)} broke: ${result.why}`);
    else if (result.status !== 200) {
      note(clients, turn, `stream answered ${result.status}: ${result.text}`);
      if (!isPassing(result.status)) return clients.onViolation(`a stream was answered ${result.status}: ${result.text}`, turn);
    } else if (!view.isDone) clients.onViolation('a whole stream without [DONE]', turn);
  }
}

function addView(turn: TurnRecord): View {
  const view = new View();
  turn.views.push(view);
  return view;
}

function take(clients: Clients, turn: TurnRecord, view: View, piece: string, others: Promise<void>[], dice: Dice): void {
  const { cancelBehind } = turn.plan;
  view.feed(piece);
  if (view.ends > 0) turn.endedAtMs ??= clockMs();
  if (cancelBehind === undefined || view.deltas < cancelBehind || turn.hasCancelled === true) return;
  turn.hasCancelled = true;
  others.push(cancelTurn(clients, turn, dice));
}

async function cancelTurn(clients: Clients, turn: TurnRecord, dice: Dice): Promise<void> {
  while (!clients.signal.aborted) {
    const gateway = dice.pick(clients.gateways);
    note(clients, turn, `cancel to ${gateway}`);
    const url = `${gateway}/v1/responses/${turn.id}/cancel`;
    const result = await exchange({ method: 'POST', url, patienceMs: turn.plan.patienceMs, signal: clients.signal });
    note(clients, turn, result.type === 'broken' ? `cancel broke: ${result.why}` : `cancel answered ${result.status}`);
    if (result.type === 'answered' && !isPassing(result.status)) {
      if (result.status === 200) turn.cancel = 'accepted';
      else if (result.status === 400) turn.cancel = 'late';
      else clients.onViolation(`a cancel was answered ${result.status}: ${result.text}`, turn);
      return;
    }
    await pause(clients, dice);
  }
}

/** Resolves with the JSON of a 200, whichever gateway gives it. @throws what other answer came, or the reason of `signal` */
export async function callAny(clients: Clients, dice: Dice, method: 'GET' | 'POST', path: string, body?: string): Promise<unknown> {
  for (;;) {
    clients.signal.throwIfAborted();
    const result = await exchange({
      method,
      url: `${dice.pick(clients.gateways)}${path}`,
      patienceMs: 20_000,
      signal: clients.signal,
      ...(body === undefined ? {} : { body }),
    });
    if (result.type === 'answered' && result.status === 200) return JSON.parse(result.text);
    if (result.type === 'answered' && !isPassing(result.status)) throw new Error(`${path} answered ${result.status}: ${result.text}`);
    await pause(clients, dice);
  }
}

function note(clients: Clients, turn: TurnRecord, text: string): void {
  turn.notes.push(`${clients.at(clockMs())} ${text.slice(0, 300)}`);
}

async function pause({ signal }: Clients, dice: Dice): Promise<void> {
  await sleep(dice.between(50, 600), undefined, { signal }).catch(() => undefined);
}

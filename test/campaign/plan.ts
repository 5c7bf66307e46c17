/** What a campaign does, from its seed alone: each turn with what its clients and its model do, and each fault of the machinery. */
import { Dice } from '../../bench/soak/dice.ts';

/** Everything of a cluster that can be killed, stopped, asked to leave, or cut off from something else. */
export const processKinds = ['serve', 'gateway', 'worker', 'temporal', 'nginx', 'postgres'] as const;
export type ProcessKind = (typeof processKinds)[number];

/** What links lead to: from clients to what serves them, and from turnkeep's processes to what they stand on. */
export const linkKinds = ['clients', 'temporal', 'provider', 'nginx', 'postgres'] as const;
export type LinkKind = (typeof linkKinds)[number];

/**
 * `reset`: RST to both ends. `delay`: every byte comes later. `cut`: one direction carries nothing for a while, as when a route is
 * lost. `partition`: neither direction does, and nobody gets through anew.
 */
export const linkActions = ['reset', 'delay', 'cut', 'partition'] as const;
export type LinkAction = (typeof linkActions)[number];

/**
 * What befalls single chunks of a link, all the time, in both directions. A part of the chunk is carried at once; the rest comes
 * later (`late`), so much later that somebody may have given up (`held`), or never, since its connection is reset (`reset`).
 */
export const weatherWords = ['late', 'held', 'reset'] as const;
export type WeatherWord = (typeof weatherWords)[number];

export type FaultKind =
  | `${'kill' | 'stop' | 'term'} ${ProcessKind}`
  | `${LinkAction} ${LinkKind}`
  | `weather ${WeatherWord} ${LinkKind}`
  | 'disk full'
  | 'clock forward'
  | 'clock back';

export interface PlannedFault {
  /** Since the load began. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** From 0 up to, not including, 1: which of the processes or links of that kind it is. */
  readonly choice: number;
  readonly forMs: number;
}

/** What the clients of a turn do, besides asking for it and seeing it to its end. */
export const manners = [
  'stream',
  'blocking',
  'background',
  'second viewer',
  'openai client',
  'slow viewer',
  'vanishing viewer',
  'repeated post',
  'retried post',
  'reordered posts',
  'cancel before',
  'cancel at',
  'cancel after',
  'interrupt',
  'tools',
  'approval',
  'refusal',
] as const;
export type Manner = (typeof manners)[number];

/** Those in which nothing is wrong with what clients do: a turn in one of them is no fault. */
export const plainManners: ReadonlySet<string> = new Set<Manner>([
  'stream',
  'blocking',
  'background',
  'second viewer',
  'openai client',
  'tools',
  'approval',
  'refusal',
]);
const faultyManners = manners.filter((manner) => !plainManners.has(manner));

/** What the model does instead of answering. `before`, `after`: the first token. Those before it, so many times in a row. */
export const modelFaults = ['reset before', 'reset after', 'busy', 'stall before', 'stall after', 'truncated', 'bare end'] as const;
export type ModelFault = (typeof modelFaults)[number];

/** The words of the user: what the model is to do, and the name by which requests, messages and answers are told apart. */
export interface Order {
  readonly turn: string;
  readonly tokens: number;
  /** Between two tokens. */
  readonly waitMs: number;
  /** Steps that call tools, before the answer. */
  readonly toolSteps: number;
  readonly tools: readonly ('once' | 'again' | 'mail')[];
  readonly fault?: { readonly kind: ModelFault; readonly times: number };
}

export interface LoadShape {
  /** Conversations at the same time. */
  readonly sessions: number;
  /** Short answers, and something that fails in nearly every turn: as many faults a second as the machine bears. */
  readonly isDense: boolean;
}

export interface TurnPlan {
  readonly order: Order;
  readonly manner: Manner;
  /** Events after which a viewer vanishes or cancels. */
  readonly behind: number;
  /** A connection that brings nothing for this long is given up. */
  readonly patienceMs: number;
}

const faultChance = 0.3;
const denseFaultChance = 0.8;

/** So many conversations at once are served with tokens as fast as they come here; of more each gets fewer. */
const sessionsAtFullPace = 12;

/**
 * Each manner and each fault of the model comes early, whatever the dice say later.
 * @param n the nth turn of this seed, from 0
 */
export function planTurn(seed: number, n: number, { sessions, isDense }: LoadShape): TurnPlan {
  const dice = new Dice(seed, 'turn', n);
  const manner = manners[n % (2 * manners.length)] ?? dice.pick(isDense ? faultyManners : manners);
  const early = modelFaults[n % (2 * modelFaults.length)];
  const isPlain = manner === 'stream' || manner === 'second viewer' || manner === 'blocking' || manner === 'background';
  const kind = isPlain ? (early ?? dice.pick(modelFaults)) : dice.pick(modelFaults);
  // What is asked for an approval has to be asked first.
  const mayFail = isPlain || (isDense && manner !== 'approval' && manner !== 'refusal');
  const isFaulty = mayFail && ((isPlain && early !== undefined) || dice.next() < (isDense ? denseFaultChance : faultChance));
  const withTools = manner === 'tools';
  const asks = manner === 'approval' || manner === 'refusal';
  const times = 1 + Math.floor(dice.next() * 3);
  return {
    manner,
    order: {
      turn: `turn-${n}`,
      tokens: isDense ? 2 + Math.floor(dice.next() * 5) : 5 + Math.floor(dice.next() * 20),
      waitMs: Math.floor(isDense ? dice.between(5, 40) : dice.between(20, 120) * Math.max(1, sessions / sessionsAtFullPace)),
      toolSteps: withTools ? 1 + Math.floor(dice.next() * 2) : Number(asks),
      tools: withTools ? ['once', 'again'] : asks ? ['mail'] : [],
      ...(isFaulty ? { fault: { kind, times } } : {}),
    },
    behind: Math.floor(dice.between(2, isDense ? 9 : 14)),
    patienceMs: Math.floor(dice.between(6_000, 20_000)),
  };
}

/**
 * @param kinds each comes once in every round, in an order of its own
 * @param everyMs from one fault to the next, in the mean
 */
export function planFaults(seed: number, kinds: readonly FaultKind[], lengthMs: number, everyMs: number): readonly PlannedFault[] {
  const dice = new Dice(seed, 'faults');
  const count = Math.max(kinds.length, Math.floor(lengthMs / everyMs));
  const gapMs = lengthMs / (count + 1);
  const planned: PlannedFault[] = [];
  let round: FaultKind[] = [];
  for (let n = 0; n < count; n += 1) {
    if (round.length === 0) round = [...kinds];
    const [kind] = round.splice(Math.floor(dice.next() * round.length), 1);
    if (kind === undefined) break;
    planned.push({ atMs: (n + dice.next()) * gapMs, kind, choice: dice.next(), forMs: Math.floor(dice.between(300, 4_000)) });
  }
  return planned;
}

/** What a soak does, from its seed alone: each turn and each disturbance, however the machine's timing falls. */
import { Dice } from './dice.ts';

/** What the model does with a turn's requests, besides answering the last one. */
export type Fault =
  /** So many requests break before the first token. */
  | { readonly type: 'unstarted'; readonly times: number }
  /** So many requests are answered by 429 and `Retry-After: 1`. */
  | { readonly type: 'busy'; readonly times: number }
  /** The connection is reset behind so many tokens. */
  | { readonly type: 'reset'; readonly behind: number };

/** The words of the user: what the model is to do, and the marker by which requests and messages are told apart. */
export interface SoakOrder {
  readonly marker: string;
  readonly tokens: number;
  /** Between two tokens. */
  readonly waitMs: number;
  readonly fault?: Fault;
}

export interface TurnPlan {
  readonly order: SoakOrder;
  /** Which of the sessions that go on at the same time; undefined: outside of a session. */
  readonly slot: number | undefined;
  /** The POST asks for one JSON body. */
  readonly isBlocking: boolean;
  /** A second viewer follows the turn from its start. */
  readonly isWatched: boolean;
  /** The viewer cancels the turn when it has seen so many deltas. */
  readonly cancelBehind?: number;
  /** A connection that brings nothing for this long is given up. */
  readonly patienceMs: number;
}

const tokens = 20;
const faults: readonly (readonly [Fault | undefined, number])[] = [
  [undefined, 70],
  [{ type: 'unstarted', times: 1 }, 10],
  [{ type: 'unstarted', times: 2 }, 3],
  [{ type: 'unstarted', times: 3 }, 1],
  [{ type: 'busy', times: 1 }, 8],
  [{ type: 'busy', times: 2 }, 2],
  [{ type: 'reset', behind: 7 }, 6],
];

/** @param n the nth turn of this seed, from 0 */
export function planTurn(seed: number, n: number, sessions: number): TurnPlan {
  const dice = new Dice(seed, 'turn', n);
  const fault = dice.pickWeighted(faults);
  const slot = Math.floor(dice.next() * (sessions + 3));
  const isBlocking = dice.next() < 1 / 8;
  const isCancelled = fault === undefined && !isBlocking && dice.next() < 0.05;
  return {
    order: { marker: `turn ${n} of seed ${seed}`, tokens, waitMs: 50, ...(fault === undefined ? {} : { fault }) },
    slot: slot < sessions ? slot : undefined,
    isBlocking,
    isWatched: dice.next() < 1 / 4,
    ...(isCancelled ? { cancelBehind: 5 } : {}),
    patienceMs: dice.between(4_000, 20_000),
  };
}

export const roleNames = ['serve-1', 'serve-2', 'gateway', 'worker'] as const;
export type RoleName = (typeof roleNames)[number];
export type Target = RoleName | 'temporal';

export interface Disturbance {
  readonly target: Target;
  /** `stop`: SIGSTOP, and SIGCONT later. */
  readonly kind: 'kill' | 'stop';
}

/** @param spared never disturbed, so that it can be watched over a long time */
export function planDisturbance(seed: number, n: number, spared: ReadonlySet<Target>): Disturbance {
  const dice = new Dice(seed, 'disturbance', n);
  const weighted: readonly (readonly [Target, number])[] = [...roleNames.map((name) => [name, 22] as const), ['temporal', 12]];
  return {
    target: dice.pickWeighted(weighted.filter(([name]) => !spared.has(name))),
    kind: dice.next() < 0.75 ? 'kill' : 'stop',
  };
}

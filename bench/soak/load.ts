/** Turns that arrive at random moments, whether or not others have their end, in sessions that follow one another. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import { callAny, type Clients, postTurn } from './clients.ts';
import { Dice } from './dice.ts';
import { planTurn } from './plan.ts';
import type { Talk, TurnRecord } from './record.ts';

export interface SoakLoad {
  readonly seed: number;
  readonly turnsPerSecond: number;
  /** Sessions at the same time. */
  readonly sessions: number;
  readonly forMs: number;
}

/** A session is followed by a new one behind so many turns, so that prompts do not grow with the length of the soak. */
const turnsPerTalk = 40;

export class Load {
  readonly turns: TurnRecord[] = [];
  readonly talks: Talk[] = [];
  readonly #clients: Clients;
  readonly #load: SoakLoad;
  readonly #slots = new Map<number, Promise<Talk>>();
  readonly #dice: Dice;

  constructor(clients: Clients, load: SoakLoad) {
    this.#clients = clients;
    this.#load = load;
    this.#dice = new Dice(load.seed, 'arrivals');
  }

  get ended(): number {
    return this.turns.filter(({ endedAtMs }) => endedAtMs !== undefined).length;
  }

  /** Resolves when the time is over; `left` resolves when each client has seen its turn's end. */
  async run(): Promise<{ readonly left: Promise<unknown> }> {
    const { turnsPerSecond, forMs } = this.#load;
    const running: Promise<void>[] = [];
    const untilMs = clockMs() + forMs;
    let dueAtMs = clockMs();
    for (let n = 0; ; n += 1) {
      dueAtMs += this.#dice.gapMs(turnsPerSecond);
      if (dueAtMs > untilMs) return { left: Promise.allSettled(running) };
      await sleep(Math.max(0, dueAtMs - clockMs()));
      running.push(this.#post(n).catch((error: unknown) => this.#clients.onViolation(`turn ${n} could not be posted: ${String(error)}`)));
    }
  }

  async #post(n: number): Promise<void> {
    const { seed, sessions } = this.#load;
    const plan = planTurn(seed, n, sessions);
    const dice = new Dice(seed, 'client', n);
    const talk = plan.slot === undefined ? undefined : await this.#talkOf(plan.slot, dice);
    const isAlone = talk?.turns.every(({ endedAtMs }) => endedAtMs !== undefined) ?? true;
    const turn: TurnRecord = { plan, talk, postedAtMs: clockMs(), isAlone, views: [], notes: [] };
    this.turns.push(turn);
    talk?.turns.push(turn);
    await postTurn(this.#clients, turn, dice);
  }

  async #talkOf(slot: number, dice: Dice): Promise<Talk> {
    const talk = await this.#slots.get(slot);
    if (talk !== undefined && talk.turns.length < turnsPerTalk) return talk;
    // Another one may have begun the next while this one waited.
    const begun = this.#slots.get(slot);
    if (begun !== undefined && (await begun) !== talk) return begun;
    const next = callAny(this.#clients, dice, 'POST', '/v1/conversations', '{}').then((answer) => {
      const begunTalk: Talk = { id: (answer as { id: string }).id, turns: [] };
      this.talks.push(begunTalk);
      return begunTalk;
    });
    this.#slots.set(slot, next);
    return next;
  }
}

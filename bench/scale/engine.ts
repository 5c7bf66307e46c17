/**
 * A discrete-event simulation: a clock that jumps from event to event, machines whose cores are shared evenly by what runs on them,
 * and stations in front of which work waits. Nothing in it knows what is simulated. The same seed makes the same run.
 */

type Action = () => void;

/** A heap by `at`; what has the same time comes out in the order that it went in. */
class Schedule<T> {
  readonly #at: number[] = [];
  readonly #order: number[] = [];
  readonly #items: T[] = [];
  #count = 0;

  get size(): number {
    return this.#items.length;
  }

  get firstAt(): number {
    return this.#at[0] ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, item: T): void {
    this.#count += 1;
    let place = this.#items.length;
    const order = this.#count;
    this.#put(place, at, order, item);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  takeFirst(): T {
    const first = this.#items[0] as T;
    const last = this.#items.length - 1;
    this.#swap(0, last);
    this.#at.pop();
    this.#order.pop();
    this.#items.pop();
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= last) return first;
      const right = left + 1;
      const least = right < last && this.#isBefore(right, left) ? right : left;
      if (!this.#isBefore(least, place)) return first;
      this.#swap(least, place);
      place = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [atA = 0, atB = 0] = [this.#at[a], this.#at[b]];
    return atA < atB || (atA === atB && (this.#order[a] ?? 0) < (this.#order[b] ?? 0));
  }

  #put(place: number, at: number, order: number, item: T): void {
    this.#at[place] = at;
    this.#order[place] = order;
    this.#items[place] = item;
  }

  #swap(a: number, b: number): void {
    const [at = 0, order = 0, item] = [this.#at[a], this.#order[a], this.#items[a] as T];
    this.#put(a, this.#at[b] ?? 0, this.#order[b] ?? 0, this.#items[b] as T);
    this.#put(b, at, order, item);
  }
}

export class Simulation {
  #nowMs = 0;
  readonly #due = new Schedule<Action>();

  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, action: Action): void {
    this.#due.add(this.#nowMs + ms, action);
  }

  /** Until nothing is due before `untilMs`. */
  run(untilMs: number): void {
    while (this.#due.firstAt <= untilMs) {
      this.#nowMs = this.#due.firstAt;
      this.#due.takeFirst()();
    }
    this.#nowMs = untilMs;
  }
}

/** Cores, and what runs on them: with more to do than cores, all of it is slower by as much (processor sharing). */
export class Machine {
  readonly name: string;
  readonly cores: number;
  readonly #simulation: Simulation;
  /** By the work that each core would have done for one job since the beginning, when the job ends. */
  readonly #running = new Schedule<Action>();
  #workDone = 0;
  #lookedAtMs = 0;
  #version = 0;
  #busyMs = 0;

  constructor(simulation: Simulation, name: string, cores: number) {
    this.#simulation = simulation;
    this.name = name;
    this.cores = cores;
  }

  /** Of all cores, ms. */
  get busyMs(): number {
    this.#advance();
    return this.#busyMs;
  }

  run(cpuMs: number, onDone: Action): void {
    this.#advance();
    this.#running.add(this.#workDone + cpuMs, onDone);
    this.#scheduleNext();
  }

  get #rate(): number {
    return Math.min(1, this.cores / Math.max(1, this.#running.size));
  }

  #advance(): void {
    const { nowMs } = this.#simulation;
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    this.#workDone += passedMs * this.#rate;
    this.#busyMs += passedMs * Math.min(this.cores, this.#running.size);
  }

  #scheduleNext(): void {
    this.#version += 1;
    if (this.#running.size === 0) return;
    const version = this.#version;
    const leftMs = Math.max(0, (this.#running.firstAt - this.#workDone) / this.#rate);
    this.#simulation.after(leftMs, () => {
      // Something came or went meanwhile: another one is scheduled.
      if (version !== this.#version) return;
      this.#advance();
      const onDone = this.#running.takeFirst();
      this.#scheduleNext();
      onDone();
    });
  }
}

interface Work {
  readonly cpuMs: number;
  readonly holdMs: number;
  readonly sinceMs: number;
  readonly onDone: Action;
}

/**
 * Something that does so many things at a time, in the order that they came: an event loop one, a pool as many as it has connections,
 * a shard one write. Each takes CPU of a machine, and then may hold its place without any, as one does who waits for a disk.
 */
export class Station {
  readonly name: string;
  readonly places: number;
  readonly #simulation: Simulation;
  readonly #machine: Machine;
  readonly #waiting: Work[] = [];
  #firstWaiting = 0;
  #taken = 0;
  #busyMs = 0;
  #waitedMs = 0;
  #done = 0;
  #longest = 0;
  #beganAtMs: number;

  constructor(simulation: Simulation, machine: Machine, name: string, places: number) {
    this.#simulation = simulation;
    this.#machine = machine;
    this.name = name;
    this.places = places;
    this.#beganAtMs = simulation.nowMs;
  }

  /** Share of its places that were taken, since the beginning or `reset`. */
  get utilization(): number {
    return this.#busyMs / (this.places * Math.max(1, this.#simulation.nowMs - this.#beganAtMs));
  }

  /** How many waited, at most. */
  get longestQueue(): number {
    return this.#longest;
  }

  get meanWaitMs(): number {
    return this.#done === 0 ? 0 : this.#waitedMs / this.#done;
  }

  reset(): void {
    this.#busyMs = 0;
    this.#waitedMs = 0;
    this.#done = 0;
    this.#longest = 0;
    this.#beganAtMs = this.#simulation.nowMs;
  }

  /** @param holdMs after the CPU, without any */
  serve(cpuMs: number, holdMs: number, onDone: Action): void {
    const work = { cpuMs, holdMs, sinceMs: this.#simulation.nowMs, onDone };
    if (this.#taken < this.places) {
      this.#begin(work);
      return;
    }
    this.#waiting.push(work);
    this.#longest = Math.max(this.#longest, this.#waiting.length - this.#firstWaiting);
  }

  #begin({ cpuMs, holdMs, sinceMs, onDone }: Work): void {
    this.#taken += 1;
    const { nowMs } = this.#simulation;
    this.#waitedMs += nowMs - sinceMs;
    this.#done += 1;
    const end = (): void => {
      this.#taken -= 1;
      this.#busyMs += this.#simulation.nowMs - nowMs;
      const next = this.#waiting[this.#firstWaiting];
      if (next !== undefined) {
        this.#firstWaiting += 1;
        if (this.#firstWaiting > 1_024) {
          this.#waiting.splice(0, this.#firstWaiting);
          this.#firstWaiting = 0;
        }
        this.#begin(next);
      }
      onDone();
    };
    const hold = (): void => {
      if (holdMs > 0) this.#simulation.after(holdMs, end);
      else end();
    };
    if (cpuMs > 0) this.#machine.run(cpuMs, hold);
    else hold();
  }
}

/** Writes that wait go out together, in the next statement, as long as not too many statements are under way (group commit). */
export class GroupWriter {
  readonly #simulation: Simulation;
  readonly #machine: Machine;
  readonly #lanes: number;
  readonly #holdMs: number;
  #waiting: { readonly cpuMs: number; readonly onDone: Action }[] = [];
  #underWay = 0;

  /** @param holdMs of a statement, after its CPU */
  constructor(simulation: Simulation, machine: Machine, lanes: number, holdMs: number) {
    this.#simulation = simulation;
    this.#machine = machine;
    this.#lanes = lanes;
    this.#holdMs = holdMs;
  }

  write(cpuMs: number, onDone: Action): void {
    this.#waiting.push({ cpuMs, onDone });
    if (this.#underWay < this.#lanes) this.#send();
  }

  #send(): void {
    const group = this.#waiting;
    this.#waiting = [];
    this.#underWay += 1;
    this.#machine.run(
      group.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
      () => {
        this.#simulation.after(this.#holdMs, () => {
          this.#underWay -= 1;
          for (const { onDone } of group) onDone();
          if (this.#waiting.length > 0 && this.#underWay < this.#lanes) this.#send();
        });
      },
    );
  }
}

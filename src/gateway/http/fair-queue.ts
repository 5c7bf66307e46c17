/**
 * The order in which requests that make turns are taken in, in one process: the event loop is shared by all tenants, so those
 * of one tenant wait for each other, and nobody else's for them (T14). They wait before anything is promised: one whose
 * client goes, or whose process dies, leaves nothing behind (T1).
 *
 * Who asks now and then is let in at once. What a tenant asks for beyond that waits, and is let in while the event loop has time
 * to spare, tenant by tenant; of each one twice a second, where it never has. A process that only one tenant uses lets everybody
 * in at once.
 *
 * - F1: a request of a tenant that is within its rate, and has none waiting, is let in at once, however many of others wait, as long as places are free.
 * - F2: of the time to spare each tenant that waits gets the same share: behind k tenants it is next after k others at most.
 * - F3: those of one tenant are let in in the order they came.
 * - F4: of a tenant no more wait than `mostWaiting`, and no more are being taken in than places are free.
 */

/** From now until the request is accepted or refused. */
export interface Place {
  /** Twice is harmless. */
  release(): void;
}

/** Calls `onTick` every few milliseconds; `isOnTime`: the event loop had time to spare since the call before. @returns ends it */
export type LoopClock = (onTick: (isOnTime: boolean) => void) => () => void;

export interface FairQueueOptions {
  readonly loopClock: LoopClock;
  readonly limits?: FairQueueLimits;
  /** How long a request waited, in ms; not called for those that did not wait. */
  readonly onWaited?: (ms: number) => void;
  /** A monotonic clock, in ms. */
  readonly now?: () => number;
}

export interface FairQueueLimits {
  /** Requests that are being taken in at the same time. A tenant has as many as are free, alone half of them. */
  readonly places: number;
  /** Requests of a tenant that wait. */
  readonly mostWaiting: number;
  /** Of a tenant beside others, which has none waiting: let in whatever the event loop has to do. */
  readonly perSecond: number;
  /** How many of these may come at once. */
  readonly burst: number;
  /** How many of these a refusal takes away, those that are yet to come too: who asks for more than it may waits for time to spare. */
  readonly perRefusal: number;
  /** Of a tenant that has some waiting: after so long the next is let in whatever the event loop has to do. */
  readonly longestGapMs: number;
  /** Ticks on time, one after the other, before one more is let in beyond the rates. */
  readonly ticksToSpare: number;
  /** A tenant that has sent nothing for so long is not there. */
  readonly forgetAfterMs: number;
}

export const fairQueueLimits: FairQueueLimits = {
  places: 64,
  mostWaiting: 1_000,
  perSecond: 10,
  burst: 4,
  perRefusal: 10,
  longestGapMs: 500,
  ticksToSpare: 8,
  forgetAfterMs: 600_000,
};

/** As many of the tenant's requests wait as may. */
export class QueueFullError extends Error {
  /** Of all tenants, before this one. */
  readonly refused: number;

  constructor(refused: number) {
    super('as many requests wait as may');
    this.refused = refused;
  }
}

interface Waiter {
  readonly enter: (place: Place) => void;
}

interface Tenant {
  /** In the order they came. */
  readonly waiting: Set<Waiter>;
  held: number;
  /** What is left of its rate: requests, at this time. */
  tokens: number;
  atMs: number;
  /** When the last one was let in. */
  letInMs: number;
}

export class FairQueue {
  readonly #loopClock: LoopClock;
  readonly #limits: FairQueueLimits;
  readonly #onWaited: (ms: number) => void;
  readonly #now: () => number;
  /** In the order in which they are given of the time to spare: whoever got some goes to the end. */
  readonly #tenants = new Map<string, Tenant>();
  #held = 0;
  #refused = 0;
  #waiting = 0;
  #ticksOnTime = 0;
  #stopClock: (() => void) | undefined;
  #isOpen = false;
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  constructor({ loopClock, limits = fairQueueLimits, onWaited = () => undefined, now = () => performance.now() }: FairQueueOptions) {
    this.#loopClock = loopClock;
    this.#limits = limits;
    this.#onWaited = onWaited;
    this.#now = now;
  }

  /** Requests that wait now, of all tenants. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Lets a request in: at once, without a promise, where it need not wait.
   * @param signal ends the waiting: rejects with its reason
   * @throws QueueFullError
   */
  enter(name: string, signal?: AbortSignal): Place | Promise<Place> {
    const tenant = this.#find(name);
    if (tenant.waiting.size === 0 && this.#hasRoom(tenant) && this.#isWithinRate(tenant)) return this.#place(tenant);
    if (tenant.waiting.size >= this.#limits.mostWaiting) throw new QueueFullError((this.#refused += 1) - 1);
    return this.#wait(tenant, signal);
  }

  /** The tenant asked for more than its limit on requests a second. */
  exceeded(name: string): void {
    const { perRefusal } = this.#limits;
    const tenant = this.#find(name);
    tenant.tokens = Math.max(-perRefusal, tenant.tokens - perRefusal);
  }

  /** Lets everybody in who waits, and who comes: a process that shuts down refuses them. */
  open(): void {
    this.#isOpen = true;
    this.#letIn();
  }

  #find(name: string): Tenant {
    const nowMs = this.#now();
    if (nowMs - this.#forgotAtMs > this.#limits.forgetAfterMs / 10) this.#forget(nowMs);
    const known = this.#tenants.get(name);
    if (known !== undefined) {
      const { perSecond, burst } = this.#limits;
      known.tokens = Math.min(burst, known.tokens + ((nowMs - known.atMs) / 1_000) * perSecond);
      known.atMs = nowMs;
      return known;
    }
    const tenant = { waiting: new Set<Waiter>(), held: 0, tokens: this.#limits.burst, atMs: nowMs, letInMs: nowMs };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #forget(nowMs: number): void {
    this.#forgotAtMs = nowMs;
    for (const [name, { waiting, held, atMs }] of this.#tenants) {
      if (waiting.size === 0 && held === 0 && nowMs - atMs > this.#limits.forgetAfterMs) this.#tenants.delete(name);
    }
  }

  #hasRoom({ held }: Tenant): boolean {
    return this.#isOpen || held < this.#limits.places - this.#held;
  }

  #isWithinRate({ tokens }: Tenant): boolean {
    return this.#isOpen || this.#tenants.size === 1 || tokens >= 1;
  }

  #isDue({ letInMs }: Tenant): boolean {
    return this.#isOpen || this.#tenants.size === 1 || this.#now() - letInMs >= this.#limits.longestGapMs;
  }

  #place(tenant: Tenant): Place {
    if (tenant.tokens > 0) tenant.tokens = Math.max(0, tenant.tokens - 1);
    tenant.letInMs = this.#now();
    tenant.held += 1;
    this.#held += 1;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        tenant.held -= 1;
        this.#held -= 1;
        if (this.#waiting > 0) this.#letIn();
      },
    };
  }

  #wait(tenant: Tenant, signal: AbortSignal | undefined): Promise<Place> {
    const sinceMs = this.#now();
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const leave = (): void => {
        tenant.waiting.delete(waiter);
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#rest();
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        enter: (place) => {
          signal?.removeEventListener('abort', leave);
          this.#onWaited(this.#now() - sinceMs);
          resolve(place);
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      tenant.waiting.add(waiter);
      this.#waiting += 1;
      this.#stopClock ??= this.#loopClock(this.#tick);
    });
  }

  readonly #tick = (isOnTime: boolean): void => {
    this.#ticksOnTime = isOnTime ? this.#ticksOnTime + 1 : 0;
    this.#letIn();
    if (this.#ticksOnTime < this.#limits.ticksToSpare) return;
    this.#ticksOnTime = 0;
    for (const [name, tenant] of this.#tenants) {
      if (tenant.waiting.size === 0 || !this.#hasRoom(tenant)) continue;
      this.#letInFirst(tenant);
      this.#tenants.delete(name);
      this.#tenants.set(name, tenant);
      return;
    }
  };

  /** Those that may enter without time to spare. */
  #letIn(): void {
    for (const tenant of this.#tenants.values()) {
      while (tenant.waiting.size > 0 && this.#hasRoom(tenant) && this.#isDue(tenant)) this.#letInFirst(tenant);
    }
  }

  #letInFirst(tenant: Tenant): void {
    const [first] = tenant.waiting;
    if (first === undefined) return;
    tenant.waiting.delete(first);
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#rest();
    first.enter(this.#place(tenant));
  }

  #rest(): void {
    this.#stopClock?.();
    this.#stopClock = undefined;
    this.#ticksOnTime = 0;
  }
}

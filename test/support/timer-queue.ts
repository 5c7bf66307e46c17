/** Timers by the time at which they are due, those of one time in the order in which they were set: a binary heap. */

export interface Timer {
  atMs: number;
  readonly order: number;
}

export class TimerQueue<T extends Timer> {
  readonly #heap: T[] = [];

  get first(): T | undefined {
    return this.#heap[0];
  }

  add(timer: T): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let above = (at - 1) >> 1; at > 0 && isBefore(timer, heap[above]); above = (at - 1) >> 1) {
      heap[at] = heap[above] as T;
      at = above;
    }
    heap[at] = timer;
  }

  takeFirst(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = heap[left + 1];
      const below = right !== undefined && isBefore(right, heap[left]) ? left + 1 : left;
      const next = heap[below];
      if (next === undefined || !isBefore(next, last)) break;
      heap[at] = next;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Timer, other: Timer | undefined): boolean {
  return other === undefined || one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

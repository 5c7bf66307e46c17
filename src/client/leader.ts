/** Of all processes on one database one does a task, as long as it gets somewhere. */
import type { Store } from '../store/ports/store.ts';

export interface Task {
  /** The same in all processes. */
  readonly name: string;
  /** For so long after a round nobody else begins one; as long again nobody does it where the leader is dead. In ms. */
  readonly leaseMs: number;
}

/**
 * **Contract.** What is led must be harmless when it is done twice: a leader that stands still for longer than its lease goes on
 * beside the next one. A leader that fails lets go, and leaves the next round to others: it may be the only one that does not
 * reach Temporal.
 */
export class Leader {
  readonly #store: Pick<Store, 'lead'>;
  readonly #holder = `${process.pid}-${crypto.randomUUID()}`;
  /** Tasks whose last round failed. */
  readonly #failed = new Set<string>();

  constructor(store: Pick<Store, 'lead'>) {
    this.#store = store;
  }

  /** May this process carry out the task from now on? */
  async leads({ name, leaseMs }: Task): Promise<boolean> {
    return this.#store.lead(name, { holder: this.#holder, lengthMs: leaseMs });
  }

  /** Does a round where this process leads. @param round resolves with whether all of it was done; where it throws, it was not */
  async round(task: Task, round: () => Promise<boolean>): Promise<void> {
    // One round, whatever comes of it: where there are no others, the next one is its own again.
    if (this.#failed.delete(task.name) || !(await this.leads(task))) return;
    let isDone = false;
    try {
      isDone = await round();
    } finally {
      if (!isDone) {
        this.#failed.add(task.name);
        await this.leads({ ...task, leaseMs: 0 });
      }
    }
  }
}

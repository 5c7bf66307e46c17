/** What an operator is told of a deployment, one line a thing: the words that a driver's `diagnose` and `turnkeep doctor` share. */

export interface Finding {
  /** The thing that was looked at, in a word or two, such as `database schema`. */
  readonly check: string;
  /**
   * `warning`: it works, and will not for long, or not as it should. `fault`: turns fail or wait because of it. `unknown`: it cannot be
   * seen from here, which is neither.
   */
  readonly status: 'ok' | 'warning' | 'fault' | 'unknown';
  /** As a sentence or a part of one; without secrets. */
  readonly seen: string;
  /** What to do, with every warning and every fault. */
  readonly mend?: string;
}

/**
 * **Contract.** Looks at the database of a driver and at nothing else, and changes nothing that anybody could see: it makes no
 * database and no tables. What it finds wrong is a finding, also that the database cannot be reached: it does not reject. Whoever
 * calls it bounds its time.
 */
export type Diagnose = () => Promise<readonly Finding[]>;

/** How many migrations a database has had, and how many this version of turnkeep has. 0: there is none yet. */
export interface SchemaVersions {
  readonly current: number;
  readonly target: number;
}

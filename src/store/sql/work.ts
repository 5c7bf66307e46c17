/**
 * What is asked of a database and written to it, said once for all drivers. A work is a generator: it yields statements, and is
 * handed back their rows. An embedded driver runs it without a pause, a driver behind a socket waits for each answer.
 *
 * **Statements** are written in SQLite's dialect as far as others know it too (`ON CONFLICT (…) DO UPDATE`, `CASE`,
 * `IS NOT DISTINCT FROM`); what the others have to say differently is in the table of `postgres/translate.ts`. Numbers come back as
 * numbers, truth as 0 and 1, bytes as `Uint8Array`.
 *
 * **Several at once.** SQLite has one writer. Elsewhere a work that decides by what it reads locks that first, by
 * `lockTurn` and its like: in the order tenant, session, turn. What one statement reads and writes by itself needs no lock.
 */
export type Value = string | number | null | Uint8Array;
export type Row = Record<string, Value>;

export type Statement =
  | { readonly type: 'all' | 'one' | 'run'; readonly sql: string; readonly values: readonly Value[] }
  /** Row by row, until `take` says that it has enough. */
  | { readonly type: 'scan'; readonly sql: string; readonly values: readonly Value[]; readonly take: (row: Row) => boolean }
  /** For drivers with several writers: held until the commit. */
  | {
      readonly type: 'lock';
      readonly what: 'tenant' | 'session' | 'session of turn' | 'turn and its callers' | 'turn';
      readonly id: string;
    }
  /** The clock by which leases run: of this machine, or of the database where several machines use it. */
  | { readonly type: 'now' }
  /** For the driver of this name alone. */
  | { readonly type: 'only'; readonly driver: 'sqlite' | 'postgres'; readonly sql: string; readonly values: readonly Value[] }
  /**
   * Works that need nothing of each other, in whatever order they are done: a server gets their statements without waiting for the
   * answers to those of the others. `isAhead`: reads that may turn out not to be needed. Where a statement costs no way, they are not made, and the
   * answer is undefined.
   */
  | { readonly type: 'together'; readonly works: readonly (() => Work<unknown>)[]; readonly isAhead: boolean };

/** It may be run again from its beginning, after all that it wrote was undone: it must change nothing else. */
export type Work<T> = Generator<Statement, T, unknown>;

/** Durable: on disk when the promise resolves. Quick: survives a kill of the process, and at the least that. */
export type Durability = 'durable' | 'quick';

export interface SqlDatabase {
  /**
   * Runs `work` in a commit; any throw undoes what it has written.
   * @param queue of works that begin with the same lock: in one process they wait for each other before they hold a connection
   * @throws `StoreBusyError` when the database cannot take it now
   */
  commit<T>(durability: Durability, work: () => Work<T>, queue?: string): Promise<T>;

  /** Reads. Where `isOfOneMoment` is asked for, nothing of other commits comes in between. */
  read<T>(work: () => Work<T>, isOfOneMoment?: boolean): Promise<T>;
}

export function* all(sql: string, ...values: Value[]): Work<Row[]> {
  return (yield { type: 'all', sql, values }) as Row[];
}

export function* one(sql: string, ...values: Value[]): Work<Row | undefined> {
  return (yield { type: 'one', sql, values }) as Row | undefined;
}

/** @returns how many rows were changed */
export function* run(sql: string, ...values: Value[]): Work<number> {
  return (yield { type: 'run', sql, values }) as number;
}

/**
 * `take` must ask nothing of the database.
 * @returns whether there were no more rows than `take` wanted: it was never told that it had enough
 */
export function* scan(sql: string, values: readonly Value[], take: (row: Row) => boolean): Work<boolean> {
  return (yield { type: 'scan', sql, values, take }) as boolean;
}

/** @returns what each of them came to. See `Statement` */
export function* together<const Works extends readonly (() => Work<unknown>)[]>(
  works: Works,
): Work<{ -readonly [Index in keyof Works]: Works[Index] extends () => Work<infer T> ? T : never }> {
  return (yield { type: 'together', works, isAhead: false }) as never;
}

/** @returns what each of them came to; undefined where it costs nothing to ask later. See `Statement` */
export function* ahead(works: readonly (() => Work<unknown>)[]): Work<readonly unknown[] | undefined> {
  return (yield { type: 'together', works, isAhead: true }) as readonly unknown[] | undefined;
}

/** Writes what one driver alone needs. */
export function* onlyIn(driver: 'sqlite' | 'postgres', sql: string, ...values: Value[]): Work<void> {
  yield { type: 'only', driver, sql, values };
}

/** Milliseconds since the epoch, by the clock that all who use the database share. */
export function* now(): Work<number> {
  return (yield { type: 'now' }) as number;
}

export function* lockTenant(tenant: string): Work<void> {
  yield { type: 'lock', what: 'tenant', id: tenant };
}

export function* lockSession(session: string): Work<void> {
  yield { type: 'lock', what: 'session', id: session };
}

/** The session of a turn, where it has one. */
export function* lockSessionOf(turn: string): Work<void> {
  yield { type: 'lock', what: 'session of turn', id: turn };
}

/** The turn, and those that wait for what it says, the one in front of all first: its end adds to what they have spent. */
export function* lockTurnAndCallers(turn: string): Work<void> {
  yield { type: 'lock', what: 'turn and its callers', id: turn };
}

/** With its journal: nobody begins a step, renews a lease or moves an epoch meanwhile. */
export function* lockTurn(turn: string): Work<void> {
  yield { type: 'lock', what: 'turn', id: turn };
}

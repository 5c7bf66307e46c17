/** What a soak knows of its turns, sessions and disturbances. Times are milliseconds on `clockMs`. */
import type { Disturbance, TurnPlan } from './plan.ts';
import type { View } from './view.ts';

/** A session: its turns in the order they were first posted. */
export interface Talk {
  readonly id: string;
  readonly turns: TurnRecord[];
}

export interface TurnRecord {
  readonly plan: TurnPlan;
  readonly talk: Talk | undefined;
  readonly postedAtMs: number;
  /** No turn of its session was running or waiting when it was posted. */
  readonly isAlone: boolean;
  /** Set by the first answer that names it. */
  id?: string;
  acceptedAtMs?: number;
  endedAtMs?: number;
  /** Its client has begun to cancel it. */
  hasCancelled?: boolean;
  /** How the client's cancel was answered: in time, or the turn had its end. */
  cancel?: 'accepted' | 'late';
  /** The JSON body of a blocking POST. */
  body?: string;
  /** The one who posted, and those who watch. */
  readonly views: View[];
  /** What the clients did and met, with times. */
  readonly notes: string[];
}

export interface Disturbed extends Disturbance {
  readonly pid: number;
  readonly atMs: number;
  /** When the process was ready again. */
  overAtMs?: number;
}

export interface Violation {
  readonly what: string;
  readonly turn?: TurnRecord;
}

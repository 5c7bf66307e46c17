/** The names, ids, signals and inputs of the workflows, inside and outside of Temporal's sandbox. */
import { eventIdOf } from '../domain/turn/webhook.ts';

export const agentTurnType = 'agentTurn';
export const cancelSignal = 'cancel';

export const titleType = 'title';

export interface TitleInput {
  /** The id of the database that has the session. */
  readonly database: string;
  readonly session: string;
  /** The session's first turn: its words are read from the database. */
  readonly turn: string;
}

export const webhookType = 'webhook';

export interface WebhookInput {
  /** The id of the database that has the turn. */
  readonly database: string;
  /** The turn whose end is told: who is told, and what, is read from the database and the configuration. */
  readonly turn: string;
}

export interface AgentTurnInput {
  readonly turn: string;
  /** The id of the database that has the turn. */
  readonly database: string;
  /** A dead worker is noticed within this, ms. */
  readonly heartbeatTimeoutMs: number;
  /** Of the turn, from its start, ms. */
  readonly turnTimeoutMs: number;
  /** Where the run goes on from another one of the same turn, whose history had become long: 1 where nothing is said. */
  readonly step?: number;
  /** The end of the turn's time, ms since the epoch, as the first run has set it. */
  readonly deadlineAtMs?: number;
  /** The run says in its memo how the turn ended, unless it completed. Absent in runs of older versions, whose histories have no such event. */
  readonly tellsEnd?: true;
  /** Taken in by this run or one before it, whose caller gets a `TurnResult`. */
  readonly isOwn?: true;
  /** Of the worker that has the activities of such a turn; the workflow's own where nothing is said. */
  readonly taskQueue?: string;
}

/** What Temporal's own UI shows of a run beside its id; ids and codes only (T11). A type, not an interface: Temporal takes a record. */
export type TurnMemo = {
  /** Where the client has chosen one: the run's own id has the turn's. */
  readonly response_id?: string;
  readonly session?: string;
  /** Of a turn that has not completed: the run itself completes all the same. */
  readonly status?: string;
  readonly code?: string;
};

/** One run of it is one turn. */
export function workflowIdOf(turn: string): string {
  return `turn/${turn}`;
}

/** The queue of the activity that asks for titles: its few slots are its own, whatever streams. */
export function titleQueueOf(taskQueue: string): string {
  return `${taskQueue}/titles`;
}

/** One title a session. */
export function titleWorkflowIdOf(session: string): string {
  return `title/${session}`;
}

/** The queue of the activity that sends webhooks: only workers that are configured for them poll it, with slots of their own. */
export function webhookQueueOf(taskQueue: string): string {
  return `${taskQueue}/webhooks`;
}

/** One delivery an event, whoever starts it, and how often. */
export function webhookWorkflowIdOf(turn: string): string {
  return `webhook/${eventIdOf(turn)}`;
}

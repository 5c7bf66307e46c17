/** The names, ids, signals and inputs of the workflows, inside and outside of Temporal's sandbox. */

export const agentTurnType = 'agentTurn';
export const submittedSignal = 'submitted';
export const cancelSignal = 'cancel';

export const titleType = 'title';

export interface TitleInput {
  readonly session: string;
  /** The session's first turn: its words are read from the database. */
  readonly turn: string;
}

export interface AgentTurnInput {
  readonly turn: string;
  /** Turns of the same session that arrived while another ran, in order. */
  readonly waiting?: readonly string[];
}

/** One title a session. */
export function titleWorkflowIdOf(session: string): string {
  return `title/${session}`;
}

/** One id a session, so that Temporal itself allows one running turn in it; a turn without a session has its own. */
export function workflowIdOf(turn: { readonly id: string; readonly session: string | null }): string {
  return turn.session === null ? `turn/${turn.id}` : `session/${turn.session}`;
}

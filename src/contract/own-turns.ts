/**
 * Turns of workflows of somebody's own: what he asks for, what he gets, and what his workflow and its activities say to each
 * other. All of it is in the history of his workflow, by his own choice: ours never say what was asked or answered (T11).
 */
import type { Limits } from '../domain/agents/agent.ts';
import type { OutputItem } from '../domain/item.ts';
import type { SettledStatus, Usage } from '../domain/response/response.ts';
import type { TurnOwner } from '../domain/turn/turn.ts';

/** A turn to be run: an agent or a model, and what it is told. */
export interface TurnRequest {
  /** The name of an agent of the worker's `turnkeep.config.ts`. */
  readonly agent?: string | undefined;
  /** `provider/model` or `model`, without an agent. Neither of the two: the model of the worker's environment. */
  readonly model?: string | undefined;
  /** A text, or items as `POST /v1/responses` takes them. */
  readonly input: string | readonly object[];
  /** Behind those of the agent. */
  readonly instructions?: string | undefined;
  /** The id of a conversation: the turn waits for those before it, and goes on from them. */
  readonly session?: string | undefined;
  /** The id of the turn that this one goes on from, outside of a conversation. */
  readonly previous?: string | undefined;
  /**
   * Besides the agent's own: names as an agent has them (`tool`, `mcp:server`, `agent:name`), or tools as
   * `POST /v1/responses` takes them, whose calls end the turn.
   */
  readonly tools?: readonly (string | object)[] | undefined;
  /** Instead of the agent's, where named. */
  readonly limits?: Limits | undefined;
  /** Other members of a request to `POST /v1/responses`, such as `temperature`, `text` or `metadata`. */
  readonly settings?: object | undefined;
  /** Whose turn it is; `default` where keys name none. */
  readonly tenant?: string | undefined;
  /** By `newTurnId()`, to follow the turn by it while it runs; one is made where none is given. */
  readonly id?: string | undefined;
  /** Of a worker that has turnkeep's activities; the workflow's own where nothing is said. */
  readonly taskQueue?: string | undefined;
}

/** How a turn ended, whatever the end was: a turn that failed is no error of its workflow. */
export interface TurnResult {
  /** For `GET /v1/responses/{id}` and `/turns/{id}`. */
  readonly id: string;
  readonly status: SettledStatus;
  /** Of a turn that is `incomplete`: `max_output_tokens`, `content_filter`, or a word of the provider's own. */
  readonly incompleteReason?: string;
  /** The text of all messages in `output`. */
  readonly outputText: string;
  /** As `POST /v1/responses` shows it: messages, reasoning, calls. */
  readonly output: readonly OutputItem[];
  /** null: the provider did not say, or the turn failed. */
  readonly usage: Usage | null;
  /** Of a turn that failed. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface BeginTurnInput {
  readonly turn: string;
  readonly owner: TurnOwner;
  readonly request: Omit<TurnRequest, 'id' | 'taskQueue'>;
}

export interface BegunTurn {
  /** The id of the database that has the turn. */
  readonly database: string;
  /** Nothing of its session runs or waits before it. */
  readonly isReady: boolean;
  /** As the worker is configured. */
  readonly heartbeatTimeoutMs: number;
  readonly turnTimeoutMs: number;
}

export interface AwaitTurnInput {
  readonly database: string;
  readonly turn: string;
}

export type ReadResultInput = AwaitTurnInput;

/** The type of the failure of a turn that was not taken in: what was asked for cannot be, and the message says why. */
export const turnRefused = 'turn_refused';

/** The type of the failure of a turn whose answer is too long for a history: it is at `GET /v1/responses/{id}`. */
export const resultTooLarge = 'result_too_large';

/**
 * What the user says while a response runs (`response.steer`). It ends the response where one of its items ends, and goes on
 * with a new response that has the same settings and follows it. Accepted steers are in the memory of the gateway: what makes
 * one durable is the new response.
 *
 *   running ─┬─ steered or ended ────────▶ successor, or `response.steer.failed`
 *            └─ ended with calls ─ pending ─▶ prepended to the client's own `response.create`
 */
import type { BodyBudget, BodyHold } from '../../http/body-budget.ts';
import type { TurnRow } from '../../../domain/turn/turn.ts';
import type { SteerInput } from './client-events.ts';
import { streamOf } from './server-events.ts';

/** Of one response. */
const maxPending = 16;
/** Ids of responses that have ended here, so that a steer that comes too late hears so. */
const maxEnded = 100;

export interface Steer {
  readonly id: string;
  readonly input: SteerInput;
  /** Released once the input is in a response, or back with the client. */
  readonly hold: BodyHold;
}

export type SteerErrorCode =
  | 'response_not_found'
  | 'invalid_input'
  | 'too_many_pending_steers'
  | 'response_already_completed'
  | 'response_not_active'
  | 'successor_creation_failed';

/** A response that a connection shows, as far as it is of interest for steering it. */
export class SteeredResponse {
  readonly turn: TurnRow;
  readonly streamId: string | undefined;
  /** In the order they came. */
  steers: readonly Steer[] = [];
  /** Of the last event that was shown. */
  lastSeq = 0;

  constructor(turn: TurnRow, streamId: string | undefined) {
    this.turn = turn;
    this.streamId = streamId;
  }

  get id(): string {
    return this.turn.publicId;
  }
}

export class Steering {
  readonly #running = new Map<string, SteeredResponse>();
  /** Ended with calls whose outputs the client is to bring. */
  readonly #waiting = new Map<string, SteeredResponse>();
  readonly #ended = new Set<string>();
  readonly #budget: BodyBudget;
  readonly #tenant: string;

  constructor(budget: BodyBudget, tenant: string) {
    this.#budget = budget;
    this.#tenant = tenant;
  }

  /** A response is shown from now on. Where it is shown twice, the first one is steered. */
  begin(turn: TurnRow, streamId: string | undefined): SteeredResponse {
    const response = new SteeredResponse(turn, streamId);
    if (!this.#running.has(response.id)) this.#running.set(response.id, response);
    return response;
  }

  find(id: string): SteeredResponse | undefined {
    return this.#running.get(id);
  }

  /** The response that runs in the default stream. */
  get ofDefaultStream(): SteeredResponse | undefined {
    return [...this.#running.values()].find(({ streamId }) => streamId === undefined);
  }

  /** @param input checked @param bytes of its message @returns the steer, or why it cannot be taken */
  accept(id: string, input: SteerInput, bytes: number): Steer | SteerErrorCode {
    const response = this.#running.get(id);
    if (response === undefined) return this.#ended.has(id) || this.#waiting.has(id) ? 'response_already_completed' : 'response_not_found';
    if (response.steers.length >= maxPending) return 'too_many_pending_steers';
    const hold = this.#budget.open(this.#tenant);
    try {
      hold.grow(bytes);
    } catch {
      return 'too_many_pending_steers';
    }
    const steer = { id: `steer_${crypto.randomUUID().replaceAll('-', '')}`, input, hold };
    response.steers = [...response.steers, steer];
    return steer;
  }

  /** It is shown no more. */
  end(response: SteeredResponse): void {
    if (this.#running.get(response.id) === response) this.#running.delete(response.id);
    this.#ended.add(response.id);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= maxEnded) break;
      this.#ended.delete(oldest);
    }
  }

  wait(response: SteeredResponse): void {
    this.#waiting.set(response.id, response);
  }

  /** What is to stand before the input of the client's own continuation; it goes on waiting until `continued`. */
  pendingOf(previous: unknown, streamId: string | undefined): readonly Steer[] {
    const response = typeof previous === 'string' ? this.#waiting.get(previous) : undefined;
    return response?.streamId === streamId ? (response?.steers ?? []) : [];
  }

  continued(previous: unknown): void {
    const response = typeof previous === 'string' ? this.#waiting.get(previous) : undefined;
    if (response === undefined) return;
    this.#waiting.delete(response.id);
    letGo(response.steers);
  }

  /** Nobody is left to continue what waits. */
  forgetAll(): void {
    for (const { steers } of this.#waiting.values()) letGo(steers);
    this.#waiting.clear();
  }
}

export function letGo(steers: readonly Steer[]): void {
  for (const { hold } of steers) hold.release();
}

interface Item {
  readonly type: string;
  readonly call_id?: string;
  readonly name?: string;
  readonly id?: string;
  readonly execution?: string;
}

/** What the client is to bring for an item of an answer, as far as it can be known; undefined where it is to bring nothing. */
export function requiredInputOf({ type, call_id, name, id, execution }: Item): object | undefined {
  switch (type) {
    case 'function_call':
      return { type: 'function_call_output', call_id, name };
    case 'custom_tool_call':
    case 'computer_call':
    case 'shell_call':
    case 'local_shell_call':
    case 'apply_patch_call':
      return { type: `${type}_output`, call_id };
    case 'tool_search_call':
      return execution === 'client' ? { type: 'tool_search_output', call_id, execution } : undefined;
    case 'mcp_approval_request':
      return { type: 'mcp_approval_response', approval_request_id: id };
    default:
      return undefined;
  }
}

type About = Pick<SteeredResponse, 'id' | 'lastSeq' | 'streamId'>;

/**
 * The `sequence_number` of these events is that of the last event of the response: they are in no journal, and a client that
 * resumes behind the highest number it has seen must miss nothing.
 */
export function steerAccepted({ id, lastSeq, streamId }: About, steer: Steer): string {
  return JSON.stringify({
    type: 'response.steer.accepted',
    sequence_number: lastSeq,
    steer: { id: steer.id, previous_response_id: id },
    ...streamOf(streamId),
  });
}

export function steerPending({ id, lastSeq, streamId }: About, steer: Steer, required: readonly object[]): string {
  return JSON.stringify({
    type: 'response.steer.pending',
    sequence_number: lastSeq,
    steer: { id: steer.id, previous_response_id: id },
    reason: 'waiting_for_required_input',
    required_input: required,
    ...streamOf(streamId),
  });
}

/** The input goes back to the client, who may send it with a `response.create`. */
export function steerFailed(
  { id, lastSeq = 0, streamId }: { readonly id: string } & Partial<About>,
  steer: { readonly id?: string; readonly input: unknown },
  error: { readonly code: SteerErrorCode; readonly message: string },
): string {
  return JSON.stringify({
    type: 'response.steer.failed',
    sequence_number: lastSeq,
    steer: { ...(steer.id === undefined ? {} : { id: steer.id }), previous_response_id: id, input: steer.input },
    error: { type: 'invalid_request_error', ...error },
    ...streamOf(streamId),
  });
}

/** The id of the response that applies a steer, so that a client that lost its connection finds it. @param first of those that it applies */
export function successorIdOf(first: Steer): string {
  return first.id.replace(/^steer/, 'resp');
}

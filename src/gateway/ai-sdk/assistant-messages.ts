/**
 * The turns of a conversation as the AI SDK's UI sees them. One message of the assistant may be several turns: a turn ends
 * with the calls of the client's own tools, and the next one brings their outputs.
 */
import type { SessionRow } from '../../domain/session.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';

/** The turns of one message, oldest first. The message has the public id of the first. */
export type AssistantMessage = readonly [TurnRow, ...TurnRow[]];

export class AssistantMessages {
  readonly #turnkeep: Turnkeep;
  readonly #tenant: string;

  constructor(turnkeep: Turnkeep, tenant: string) {
    this.#turnkeep = turnkeep;
    this.#tenant = tenant;
  }

  /** The message that ends with this turn. @param before the turn before it, where the row does not name that yet */
  async endingWith(turn: TurnRow, before: string | null = turn.previous): Promise<AssistantMessage> {
    if (!bringsOutputs(turn) || before === null) return [turn];
    const previous = await this.#turnkeep.readNamedTurn(this.#tenant, before);
    if (previous === undefined) return [turn];
    return [...(await this.endingWith(previous)), turn] as [TurnRow, ...TurnRow[]];
  }

  /** The messages of a conversation, newest first, each read when the loop gets to it. */
  async *newestFirst(session: SessionRow): AsyncGenerator<AssistantMessage> {
    let id = session.leaf;
    while (id !== null) {
      const turn = await this.#turnkeep.readNamedTurn(this.#tenant, id);
      if (turn === undefined) return;
      const message = await this.endingWith(turn);
      yield message;
      id = message[0].previous;
    }
  }

  async newest(session: SessionRow): Promise<AssistantMessage | undefined> {
    for await (const message of this.newestFirst(session)) return message;
    return undefined;
  }

  /** The message right after the one of this id; without an id, the first of the conversation. */
  async after(session: SessionRow, id: string | undefined): Promise<AssistantMessage | undefined> {
    let later: AssistantMessage | undefined;
    for await (const message of this.newestFirst(session)) {
      if (message[0].publicId === id) return later;
      later = message;
    }
    // An id of another conversation has no place in this one.
    return id === undefined ? later : undefined;
  }

  /** The message of this id, if it is in this conversation. */
  async byId(session: SessionRow, id: string): Promise<AssistantMessage | undefined> {
    if ((await this.#turnkeep.readTurn(this.#tenant, id))?.session !== session.id) return undefined;
    for await (const message of this.newestFirst(session)) if (message[0].publicId === id) return message;
    return undefined;
  }
}

/** Is this turn the second half of a message: the outputs of the calls that the turn before made? */
function bringsOutputs({ input }: TurnRow): boolean {
  return input.length > 0 && input.every((item) => item.type === 'function_call_output');
}

/**
 * The turns of a conversation as a user interface knows them: one message of the assistant may be several turns, since a
 * turn ends with the calls of the client's own tools and the next one brings their outputs.
 */
import type { SessionRow } from '../../domain/session.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';

/** Its turns, oldest first. The message has the id of the first. */
export type Answer = readonly [TurnRow, ...TurnRow[]];

export class Answers {
  readonly #turnkeep: Turnkeep;
  readonly #tenant: string;

  constructor(turnkeep: Turnkeep, tenant: string) {
    this.#turnkeep = turnkeep;
    this.#tenant = tenant;
  }

  /** The answer that ends with this turn. @param before what the turn follows, where its row does not say so yet */
  async endingWith(turn: TurnRow, before: string | null = turn.previous): Promise<Answer> {
    if (!bringsOutputs(turn) || before === null) return [turn];
    const previous = await this.#turnkeep.readTurn(this.#tenant, before);
    if (previous === undefined) return [turn];
    return [...(await this.endingWith(previous)), turn] as [TurnRow, ...TurnRow[]];
  }

  /** The answers of a conversation, newest first, each read when it is asked for. */
  async *of(session: SessionRow): AsyncGenerator<Answer> {
    let id = session.leaf;
    while (id !== null) {
      const turn = await this.#turnkeep.readTurn(this.#tenant, id);
      if (turn === undefined) return;
      const answer = await this.endingWith(turn);
      yield answer;
      id = answer[0].previous;
    }
  }

  async newest(session: SessionRow): Promise<Answer | undefined> {
    for await (const answer of this.of(session)) return answer;
    return undefined;
  }

  /** The answer that came right after this one; without one, the first of the conversation. */
  async after(session: SessionRow, id: string | undefined): Promise<Answer | undefined> {
    let later: Answer | undefined;
    for await (const answer of this.of(session)) {
      if (answer[0].id === id) return later;
      later = answer;
    }
    // A name that is not of this conversation tells nothing about a place in it.
    return id === undefined ? later : undefined;
  }

  /** The answer of this name, if it is one of this conversation. */
  async named(session: SessionRow, id: string): Promise<Answer | undefined> {
    if ((await this.#turnkeep.readTurn(this.#tenant, id))?.session !== session.id) return undefined;
    for await (const answer of this.of(session)) if (answer[0].id === id) return answer;
    return undefined;
  }
}

function bringsOutputs({ input }: TurnRow): boolean {
  return input.length > 0 && input.every((item) => item.type === 'function_call_output');
}

/**
 * The turns of a conversation as the AI SDK's UI sees them. One message of the assistant may be several turns: a turn ends
 * with the calls of the client's own tools, and the next one brings their outputs. Only the message that is asked for is
 * read, however long the conversation is.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { InputItem } from '../../domain/item.ts';
import type { SessionRow } from '../../domain/turn/session.ts';
import { isVisible, type TurnRow } from '../../domain/turn/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';

export interface AssistantMessage {
  /** Oldest first. The message has the public id of the first. */
  readonly turns: readonly TurnRow[];
  /** What each of them brought. */
  readonly inputs: readonly (readonly InputItem[])[];
}

const turnsAtOnce = 20;

export class AssistantMessages {
  readonly #turnkeep: Turnkeep;
  readonly #tenant: string;

  constructor(turnkeep: Turnkeep, tenant: string) {
    this.#turnkeep = turnkeep;
    this.#tenant = tenant;
  }

  /** The message that ends with this turn. @param before the turn before it, where the row does not name that yet */
  async endingWith(turn: TurnRow, before: string | null = turn.previous): Promise<AssistantMessage> {
    const newestFirst = [turn];
    if (turn.bringsOutputs) {
      for await (const earlier of this.#backFrom(before)) {
        newestFirst.push(earlier);
        if (!earlier.bringsOutputs) break;
      }
    }
    const turns = newestFirst.toReversed();
    const inputs = [];
    for (const each of turns) inputs.push(await this.#turnkeep.readInput(each));
    return { turns, inputs };
  }

  async newest(session: SessionRow): Promise<AssistantMessage | undefined> {
    for await (const turn of this.#backFrom(session.leaf)) return this.endingWith(turn);
    return undefined;
  }

  /** The first turn of the message right after the one of this id; without an id, of the first of the conversation. */
  async after({ leaf }: SessionRow, id: string | undefined): Promise<TurnRow | undefined> {
    const turn = id === undefined ? undefined : await this.#turnkeep.readTurn(this.#tenant, id);
    // An id of another conversation has no place in this one.
    if (leaf === null || (id !== undefined && turn === undefined)) return undefined;
    for (let after = turn?.id; ;) {
      const page = await this.#turnkeep.readChain(leaf, { limit: turnsAtOnce, order: 'asc', ...(after === undefined ? {} : { after }) });
      const next = page?.find((each) => isVisible(each) && (id === undefined || !each.bringsOutputs));
      if (next !== undefined || page === undefined || page.length < turnsAtOnce) return next;
      after = page.at(-1)?.id;
    }
  }

  /** The first turn of the message of this id, if it is in this conversation. */
  async byId({ leaf }: SessionRow, id: string): Promise<TurnRow | undefined> {
    const turn = await this.#turnkeep.readTurn(this.#tenant, id);
    if (turn === undefined || leaf === null) return undefined;
    const later = await this.#turnkeep.readChain(leaf, { limit: 1, order: 'asc', after: turn.id });
    return later === undefined ? undefined : turn;
  }

  /** Up to one that the tenant may not see, or that was put in by hand. */
  async *#backFrom(leaf: string | null): AsyncGenerator<TurnRow> {
    for (let next = leaf; next !== null; await nextTurnOfTheLoop()) {
      const page: readonly TurnRow[] = (await this.#turnkeep.readChain(next, { limit: turnsAtOnce, order: 'desc' })) ?? [];
      for (const turn of page) {
        if (!isVisible(turn)) return;
        yield turn;
      }
      next = page.at(-1)?.previous ?? null;
    }
  }
}

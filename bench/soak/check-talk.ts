/** Every message of a session is in it once, in the order of acceptance, each with its answer behind it. */
import { callAny, type Clients } from './clients.ts';
import type { Dice } from './dice.ts';
import type { SoakOrder } from './plan.ts';
import type { Talk, TurnRecord } from './record.ts';
import type { ShownItem } from './view.ts';

interface ItemPage {
  readonly data: readonly ShownItem[];
  readonly last_id: string | null;
  readonly has_more: boolean;
}

export interface TalkProblem {
  readonly what: string;
  readonly turn?: TurnRecord;
}

/** @param outputs of the turns that were accepted, as their ends have them */
export async function checkTalk(
  clients: Clients,
  dice: Dice,
  { id, turns }: Talk,
  outputs: ReadonlyMap<TurnRecord, readonly ShownItem[]>,
): Promise<TalkProblem[]> {
  const problems: TalkProblem[] = [];
  const byMarker = new Map(turns.map((turn) => [turn.plan.order.marker, turn]));
  const said: { readonly turn: TurnRecord; readonly answers: ShownItem[] }[] = [];
  for (const item of await readItems(clients, dice, id)) {
    if (item.role !== 'user') {
      said.at(-1)?.answers.push(item);
      continue;
    }
    const text = textOf(item);
    const turn = byMarker.get((JSON.parse(text) as SoakOrder).marker);
    if (turn === undefined) problems.push({ what: `in ${id} is a message that was not sent there: ${text}` });
    else said.push({ turn, answers: [] });
  }
  for (const turn of turns) {
    const times = said.filter((each) => each.turn === turn).length;
    if (turn.id !== undefined && times !== 1) problems.push({ what: `its message is in ${id} ${times} times (T1)`, turn });
  }
  for (const { turn, answers } of said) {
    const expected = outputs.get(turn) ?? [];
    if (shownOf(answers) !== shownOf(expected))
      problems.push({ what: `behind its message ${id} has ${shownOf(answers)}, and its end ${shownOf(expected)}`, turn });
  }
  // Accepted before another one was even posted, it must come before it.
  let laterAcceptedAtMs = Number.POSITIVE_INFINITY;
  for (const { turn } of said.toReversed()) {
    if (laterAcceptedAtMs < turn.postedAtMs)
      problems.push({ what: `it is in ${id} before a turn that was accepted before it was posted`, turn });
    laterAcceptedAtMs = Math.min(laterAcceptedAtMs, turn.acceptedAtMs ?? Number.POSITIVE_INFINITY);
  }
  return problems;
}

async function readItems(clients: Clients, dice: Dice, id: string): Promise<ShownItem[]> {
  const items: ShownItem[] = [];
  for (let after = ''; ;) {
    const path = `/v1/conversations/${id}/items?order=asc&limit=100${after}`;
    const page = (await callAny(clients, dice, 'GET', path)) as ItemPage;
    items.push(...page.data);
    if (!page.has_more) return items;
    after = `&after=${page.last_id}`;
  }
}

function textOf({ content = [] }: ShownItem): string {
  return content.map(({ text = '' }) => text).join('');
}

function shownOf(items: readonly ShownItem[]): string {
  return JSON.stringify(items.map((item) => [item.id, textOf(item)]));
}

/** One turn of a campaign, in each manner in which clients ask for turns and watch, leave, repeat and cancel them. */
import type { Client, Posted, Posting, Watching } from './client.ts';
import { wordsOf } from './model.ts';
import { streamByOpenai } from './openai-client.ts';
import type { Manner, Order, TurnPlan } from './plan.ts';
import { type OperationLog, hashOf } from './record.ts';
import { Sight } from './sight.ts';

export interface TalkContext {
  readonly client: Client;
  readonly log: OperationLog;
  /** The conversation. */
  readonly session: string;
  /** Is in all that users say. */
  readonly secret: string;
  readonly seed: number;
  /** A post without a key may have made, or may still make, another turn. */
  readonly onUnsure: (turn: string) => void;
  /** What the manner is about has happened. */
  readonly onFelt: (manner: Manner, turn: string) => void;
}

/** Resolves when its clients have seen its end, or nothing is waited for any more. */
export async function talk(context: TalkContext, plan: TurnPlan): Promise<void> {
  const { client, log, onFelt, onUnsure } = context;
  const { manner, order, behind } = plan;
  const { turn } = order;
  const felt = (): void => onFelt(manner, turn);
  const sight = new Sight();
  const streamed: Posting = { ...postingOf(context, order), sight };
  switch (manner) {
    case 'stream':
    case 'tools':
    case 'second viewer': {
      const posted = await client.post(streamed);
      felt();
      const others = manner === 'second viewer' ? [follow(client, turn, posted)] : [];
      await Promise.all([follow(client, turn, posted, sight), ...others]);
      break;
    }
    case 'blocking': {
      const posting = postingOf(context, order, { stream: false });
      let posted = await client.post(posting);
      // Cut off before its body was whole: the same key leads to the same answer.
      while (posted.type === 'accepted' && posted.text === undefined && !client.isOver) posted = (await client.postOnce(posting)) ?? posted;
      if (posted.type !== 'accepted' || posted.text === undefined) break;
      felt();
      log.add({ op: 'answered', turn, body: hashOf(posted.text.trimStart()) });
      break;
    }
    case 'background': {
      const posted = await client.post(postingOf(context, order, { stream: false, background: true }));
      felt();
      await follow(client, turn, posted);
      break;
    }
    case 'openai client':
      if (await streamByOpenai(client, streamed)) felt();
      break;
    case 'slow viewer': {
      const posted = await client.post({ ...streamed, pauseMs: 150 });
      felt();
      await follow(client, turn, posted, sight, { pauseMs: 150 });
      break;
    }
    case 'vanishing viewer': {
      const posted = await client.post({ ...streamed, leavesBehind: behind });
      felt();
      await follow(client, turn, posted, sight, { leavesBehind: 2 * behind });
      await follow(client, turn, posted, sight);
      break;
    }
    case 'repeated post': {
      const other = new Sight();
      const [one, two] = await Promise.all([client.post(streamed), client.post({ ...streamed, sight: other })]);
      felt();
      await Promise.all([follow(client, turn, one, sight), follow(client, turn, two, other)]);
      break;
    }
    case 'retried post': {
      const posted = await client.post({ ...streamed, leavesBehind: 1 });
      const again = new Sight();
      // What a client does that knows of no key: joined by its body, as long as nobody has got the end. While the first turn has
      // none, another one would be refused.
      const headers = { 'x-stainless-retry-count': '1', 'x-turnkeep-when-busy': 'reject' };
      const joined =
        posted.type === 'accepted'
          ? await client.postOnce({ ...streamed, key: false, headers, sight: again })
          : ({ type: 'given up' } as const);
      if (joined === undefined || (await isOtherTurn(client, posted, joined))) onUnsure(turn);
      else felt();
      await Promise.all([follow(client, turn, posted, sight), follow(client, turn, joined ?? { type: 'given up' }, again)]);
      break;
    }
    case 'reordered posts':
    case 'interrupt':
      await talkTwice(context, plan, streamed, sight);
      break;
    case 'cancel before': {
      const id = `resp_${context.seed}_${turn}`;
      const answer = await client.cancel(turn, id);
      if (answer === 'unknown') felt();
      const posted = await client.post({ ...streamed, headers: { 'x-turnkeep-response-id': id } });
      await follow(client, turn, posted, sight);
      break;
    }
    case 'cancel at': {
      const posted = await client.post({ ...streamed, leavesBehind: behind });
      if (posted.type === 'accepted' && !sight.isDone && (await client.cancel(turn, posted.id)) === 'accepted') felt();
      await follow(client, turn, posted, sight);
      break;
    }
    case 'cancel after': {
      const posted = await client.post(streamed);
      await follow(client, turn, posted, sight);
      if (posted.type === 'accepted' && sight.isDone && (await client.cancel(turn, posted.id)) === 'late') felt();
      break;
    }
    case 'approval':
    case 'refusal': {
      const posted = await client.post(streamed);
      await follow(client, turn, posted, sight);
      const request = sight.final?.output.find((item) => (item as { type?: string }).type === 'mcp_approval_request')?.id;
      if (request === undefined) break;
      felt();
      const second = secondOf(order);
      const answer = { type: 'mcp_approval_response', approval_request_id: request, approve: manner === 'approval' };
      const words = { role: 'user', content: wordsOf(second, context.secret) };
      const next = new Sight();
      const answered = await client.post({ ...postingOf(context, second, { model: 'worker', input: [answer, words] }), sight: next });
      await follow(client, second.turn, answered, next);
      break;
    }
    default:
      manner satisfies never;
  }
}

/** Two turns of one conversation: posted at once, or the second one in the midst of the first. */
async function talkTwice(context: TalkContext, plan: TurnPlan, first: Posting, sight: Sight): Promise<void> {
  const { client, onFelt } = context;
  const { order, manner, behind } = plan;
  const next = new Sight();
  const second: Posting = { ...postingOf(context, secondOf(order)), sight: next };
  if (manner === 'reordered posts') {
    const [one, two] = await Promise.all([client.post(first), client.post(second)]);
    onFelt(manner, order.turn);
    await Promise.all([follow(client, first.turn, one, sight), follow(client, second.turn, two, next)]);
    return;
  }
  const one = await client.post({ ...first, leavesBehind: behind });
  if (!sight.isDone) onFelt(manner, order.turn);
  const two = await client.post({ ...second, interrupts: order.turn, headers: { 'x-turnkeep-when-busy': 'interrupt' } });
  await Promise.all([follow(client, first.turn, one, sight), follow(client, second.turn, two, next)]);
}

/**
 * Is what was made of a retry another turn, and rightly so? It joins no turn whose end was written to somebody before it was taken
 * in; who stands between, as nginx does, has got an end that the client has not. Both times are by the clock of the database:
 * that of the gateways is set by the campaign.
 */
async function isOtherTurn(client: Client, posted: Posted, joined: Posted): Promise<boolean> {
  if (posted.type !== 'accepted' || joined.type !== 'accepted' || posted.id === joined.id) return false;
  const [first, second] = (await Promise.all([posted, joined].map(({ id }) => client.call('GET', `/turns/${id}`)))) as (
    | { readonly ready_at?: string; readonly settled_at: string | null }
    | undefined
  )[];
  return first?.settled_at != null && second?.ready_at !== undefined && first.settled_at <= second.ready_at;
}

async function follow(
  client: Client,
  turn: string,
  posted: Posted,
  sight?: Sight,
  how: Pick<Watching, 'pauseMs' | 'leavesBehind'> = {},
): Promise<void> {
  if (posted.type === 'accepted') await client.watch({ turn, id: posted.id, ...how }, sight);
}

function secondOf({ turn, tokens, waitMs }: Order): Order {
  return { turn: `${turn}-b`, tokens, waitMs, toolSteps: 0, tools: [] };
}

function postingOf({ session, secret }: TalkContext, order: Order, more: object = {}): Posting {
  const model = order.tools.length > 0 ? 'worker' : 'scripted';
  return {
    turn: order.turn,
    session,
    body: { model, input: wordsOf(order, secret), conversation: session, stream: true, ...more },
  };
}

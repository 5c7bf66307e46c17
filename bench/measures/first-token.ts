/** From the call of the stock `openai` client to its first piece of text. */
import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, p50p99, type Spread, spreadOf } from '../support/statistics.ts';

const order = { tokens: 20 };
const input = promptOf(order);
/** Somebody reads before he answers; without it the session's last run may not have closed yet. */
const pauseMs = 100;

interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

async function throughTurnkeep(client: OpenAI, conversation: string): Promise<number> {
  const startedAt = clockMs();
  let firstAt = Number.NaN;
  for await (const event of await client.responses.create({ model: 'scripted', input, stream: true, conversation })) {
    if (event.type === 'response.output_text.delta' && Number.isNaN(firstAt)) firstAt = clockMs();
  }
  return firstAt - startedAt;
}

/** The same talk, kept by the caller. */
async function directly(client: OpenAI, messages: Message[]): Promise<number> {
  messages.push({ role: 'user', content: input });
  const startedAt = clockMs();
  let firstAt = Number.NaN;
  let text = '';
  for await (const chunk of await client.chat.completions.create({ model: 'scripted', stream: true, messages })) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    if (piece !== '' && Number.isNaN(firstAt)) firstAt = clockMs();
    text += piece;
  }
  messages.push({ role: 'assistant', content: text });
  return firstAt - startedAt;
}

interface Talk {
  readonly turns: number;
  readonly atOnce: number;
  readonly pauseMs: number;
}

/** Both in turns of five, so that both meet the same machine. The conversations are returned. */
async function compare(
  rig: Rig,
  { client }: Deployment,
  { turns, atOnce, pauseMs }: Talk,
): Promise<{ ours: Spread; theirs: Spread; conversations: string[] }> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const talks = await Promise.all(
    Array.from({ length: atOnce }, async () => ({ conversation: (await client.conversations.create()).id, messages: [] as Message[] })),
  );
  for (let turn = 0; turn < turns; turn += 5) {
    for (const isOurs of [true, false]) {
      await Promise.all(
        talks.map(async ({ conversation, messages }) => {
          for (let at = 0; at < 5; at += 1) {
            const tookMs = isOurs ? await throughTurnkeep(client, conversation) : await directly(rig.direct, messages);
            (isOurs ? ours : theirs).push(tookMs);
            await sleep(pauseMs);
          }
        }),
      );
    }
  }
  return { ours: spreadOf(ours), theirs: spreadOf(theirs), conversations: talks.map(({ conversation }) => conversation) };
}

function rowOf(figure: string, { ours, theirs }: { ours: Spread; theirs: Spread }, aim: string): Row {
  return {
    figure,
    turnkeep: p50p99(ours),
    direct: p50p99(theirs),
    added: `+${ms(ours.p50 - theirs.p50)} / +${ms(ours.p99 - theirs.p99)}`,
    aim,
  };
}

/** @returns the long conversation too */
export async function measureFirstToken(rig: Rig, deployment: Deployment): Promise<{ rows: Row[]; conversation: string }> {
  const aim = '+12 ms / +50 ms';
  await compare(rig, deployment, { turns: 20, atOnce: 1, pauseMs: 0 });
  const single = await compare(rig, deployment, { turns: 100, atOnce: 1, pauseMs });
  const crowd = await compare(rig, deployment, { turns: 10, atOnce: 16, pauseMs });
  const hasty = await compare(rig, deployment, { turns: 50, atOnce: 1, pauseMs: 0 });
  return {
    rows: [
      rowOf('first token, one turn at a time (p50 / p99 of 100)', single, aim),
      rowOf('first token, 16 conversations at once (of 160)', crowd, aim),
      rowOf('first token, posted the moment the turn before it has ended (of 50)', hasty, '—'),
    ],
    conversation: single.conversations[0] ?? '',
  };
}

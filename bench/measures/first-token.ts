/** From the call of the stock `openai` client to its first piece of text. */
import { setTimeout as sleep } from 'node:timers/promises';
import { promptOf } from '../support/orders.ts';
import { type Row, spreadRow } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import { type Message, timeDirectTurn, timeTurn } from '../support/timed-turn.ts';

const input = promptOf({ tokens: 20 });
/** Somebody reads before he answers. */
const pauseMs = 50;

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
            const { firstMs } = isOurs ? await timeTurn(client, input, conversation) : await timeDirectTurn(rig.direct, input, messages);
            (isOurs ? ours : theirs).push(firstMs);
            await sleep(pauseMs);
          }
        }),
      );
    }
  }
  return { ours: spreadOf(ours), theirs: spreadOf(theirs), conversations: talks.map(({ conversation }) => conversation) };
}

export interface FirstTokens {
  /** One at a time; half as many are posted the moment the turn before has ended. */
  readonly turns: number;
  /** Of the deployment, where it is not the usual one. */
  readonly name?: string;
  /** Default false. */
  readonly hasCrowd?: boolean;
}

/** @returns the long conversation too */
export async function measureFirstToken(
  rig: Rig,
  deployment: Deployment,
  { turns, name = '', hasCrowd = false }: FirstTokens,
): Promise<{ rows: Row[]; conversation: string }> {
  const hastyTurns = Math.ceil(turns / 2);
  await compare(rig, deployment, { turns: 300, atOnce: 1, pauseMs: 0 });
  const single = await compare(rig, deployment, { turns, atOnce: 1, pauseMs });
  const hasty = await compare(rig, deployment, { turns: hastyTurns, atOnce: 1, pauseMs: 0 });
  const crowd = hasCrowd ? await compare(rig, deployment, { turns: 10, atOnce: 16, pauseMs }) : undefined;
  return {
    rows: [
      spreadRow(`first token${name}, one turn at a time (p50 / p99 of ${turns})`, single.ours, single.theirs, '+5 ms / +20 ms'),
      spreadRow(
        `first token${name}, posted the moment the turn before it has ended (of ${hastyTurns})`,
        hasty.ours,
        hasty.theirs,
        '+8 ms at p50',
      ),
      ...(crowd === undefined ? [] : [spreadRow(`first token${name}, 16 conversations at once (of 160)`, crowd.ours, crowd.theirs)]),
    ],
    conversation: single.conversations[0] ?? '',
  };
}

/** How many turns a second, each with 20 tokens, the next of 32 posted when one has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { spreadOf, ms } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const atOnce = 32;
const forMs = 10_000;

async function rate(turn: (at: number) => Promise<unknown>): Promise<{ perSecond: number; p50Ms: number }> {
  const startedAt = clockMs();
  const untilMs = startedAt + forMs;
  const took: number[] = [];
  await Promise.all(
    Array.from({ length: atOnce }, async (_, at) => {
      while (clockMs() < untilMs) {
        const turnStartedAt = clockMs();
        await turn(at);
        took.push(clockMs() - turnStartedAt);
      }
    }),
  );
  return { perSecond: (took.length * 1_000) / (clockMs() - startedAt), p50Ms: spreadOf(took).p50 };
}

export async function measureThroughput({ direct }: Rig, { url, client }: Deployment): Promise<Row[]> {
  const apart = await rate(() => watchTurn(url, order).ended);
  await sleep(2_000);
  const conversations = await Promise.all(Array.from({ length: atOnce }, async () => (await client.conversations.create()).id));
  const together = await rate((at) => watchTurn(url, order, conversations[at]).ended);
  const bare = await rate(async () => {
    for await (const _ of await direct.chat.completions.create({
      model: 'scripted',
      stream: true,
      messages: [{ role: 'user', content: promptOf(order) }],
    }));
  });
  const text = ({ perSecond, p50Ms }: typeof apart): string => `${perSecond.toFixed(0)} a second, ${ms(p50Ms)} each`;
  return [
    {
      figure: `whole turns, ${atOnce} at once for 10 s, without a conversation`,
      turnkeep: text(apart),
      direct: text(bare),
      added: '—',
      aim: '—',
    },
    { figure: `whole turns, ${atOnce} conversations at once for 10 s`, turnkeep: text(together), direct: '—', added: '—', aim: '—' },
  ];
}

/** The `openai` client against the model server, with nothing in between and in a process of its own: its CPU a token. */
import OpenAI from 'openai';
import { serveCalls } from './support/child.ts';
import { type Order, promptOf } from './support/orders.ts';

interface Job {
  readonly baseUrl: string;
  readonly order: Order;
  readonly turns: number;
  readonly atOnce: number;
}

async function readAnswer(client: OpenAI, order: Order): Promise<number> {
  const stream = await client.chat.completions.create({
    model: 'scripted',
    stream: true,
    messages: [{ role: 'user', content: promptOf(order) }],
  });
  let tokens = 0;
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) tokens += 1;
  return tokens;
}

async function run({ baseUrl, order, turns, atOnce }: Job): Promise<{ cpuUs: number; tokens: number }> {
  const client = new OpenAI({ baseURL: baseUrl, apiKey: 'none', maxRetries: 0 });
  const before = process.cpuUsage();
  let left = turns;
  let tokens = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (; left > 0;) {
        left -= 1;
        const got = await readAnswer(client, order);
        tokens += got;
      }
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: user + system, tokens };
}

serveCalls({ run, close: () => undefined });

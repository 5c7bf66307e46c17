/**
 * Agents for processes that are killed: their tools write into the folder that `TURNKEEP_TEST_RUNS` names when they begin and
 * when they end, and hold until a file of their name is in it.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { defineConfig, defineTool, type ToolContext } from '../../src/config.ts';

const folder = process.env['TURNKEEP_TEST_RUNS'] ?? '.';
const lookEveryMs = 10;

function note(word: string, tool: string, name: string, { idempotencyKey }: ToolContext): void {
  appendFileSync(join(folder, 'runs.txt'), `${word} ${tool} ${name} ${idempotencyKey} ${process.pid}\n`);
}

async function untilReleased(name: string, signal: AbortSignal): Promise<void> {
  while (!existsSync(join(folder, `go ${name}`)) && !existsSync(join(folder, 'go all'))) {
    signal.throwIfAborted();
    await delay(lookEveryMs);
  }
}

const tool = (name: string, attempts: number) =>
  defineTool({
    description: `may run ${attempts} times`,
    input: z.object({ name: z.string() }),
    attempts,
    async run(args, context) {
      note('begun', name, args.name, context);
      await untilReleased(args.name, context.signal);
      note('ended', name, args.name, context);
      return `${args.name} is done`;
    },
  });

export default defineConfig({
  tools: { once: tool('once', 1), again: tool('again', 3) },
  agents: { worker: { model: 'scripted', tools: ['once', 'again'] } },
});

/** The configuration of a campaign's processes: an agent whose tools take a while and note each run in the file that they are told. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineConfig, defineTool } from '../../src/config.ts';

const notes = process.env['TURNKEEP_TEST_TOOL_NOTES'] ?? 'tools.txt';
const longestMs = 1_500;

const tool = (name: string, attempts: number, needsApproval = false) =>
  defineTool({
    description: `may run ${attempts} times`,
    input: z.object({ call: z.string() }),
    attempts,
    needsApproval,
    async run({ call }, { idempotencyKey, signal }) {
      // The secret that comes with the name of the call is in no note.
      const note = (word: string): void => appendFileSync(notes, `${word} ${name} ${call.split(' ')[0]} ${idempotencyKey}\n`);
      note('begun');
      await sleep(Math.random() * longestMs, undefined, { signal });
      note('ended');
      return `${call} is done`;
    },
  });

export default defineConfig({
  tools: { once: tool('once', 1), again: tool('again', 3), mail: tool('mail', 1, true) },
  agents: { worker: { model: 'scripted', tools: ['once', 'again', 'mail'] } },
});

import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';

const model = process.env['TURNKEEP_MODEL'] ?? 'gpt-5-mini';

/** In the place of a shop's database. */
const orders: Readonly<Record<string, object>> = {
  'A-1001': { article: 'kettle', status: 'shipped', parcel: 'NO-7734', due: '2026-12-03' },
  'A-1002': { article: 'teapot', status: 'out of stock', due: null },
};

export default defineConfig({
  tools: {
    order: defineTool({
      description: 'Looks up an order of the shop.',
      input: z.object({ number: z.string().describe('Such as A-1001.') }),
      // It only reads: where a worker dies, another may run it again.
      attempts: 3,
      run: ({ number }) => orders[number] ?? `there is no order ${number}`,
    }),
  },
  agents: {
    researcher: {
      model,
      description: 'Finds out facts about orders. Name the number of the order, and what you want to know.',
      instructions: 'You find out what is asked with your tools, and answer with the facts alone.',
      tools: ['order'],
    },
    support: {
      model,
      instructions: 'You answer the mail of a small shop, politely and in at most three sentences. Ask the researcher; never guess.',
      tools: ['agent:researcher'],
      // A conversation of weeks outgrows any context: what is old is summarised, and is still there to be read.
      compaction: 'auto',
      limits: { steps: 10 },
    },
  },
});

/** Who is in the team, and what they can do. */
import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';

/** Where a team of your own would search. */
const shelf: Readonly<Record<string, string>> = {
  moss: 'Mosses have no roots; they drink through their leaves.',
  fern: 'Ferns are 360 million years old, and bear spores, not seeds.',
  lichen: 'A lichen is a fungus and an alga that live as one.',
};

const model = process.env['TURNKEEP_MODEL'] ?? 'gpt-5-mini';

export default defineConfig({
  tools: {
    lookUp: defineTool({
      description: 'What the shelf has on a plant, in one sentence.',
      input: z.object({ plant: z.string().describe('Such as moss.') }),
      run: ({ plant }) => shelf[plant.toLowerCase()] ?? `Nothing on ${plant}; there is ${Object.keys(shelf).join(', ')}.`,
    }),
    acceptFindings: defineTool({
      description: 'Accepts the findings for the report. A person is asked first.',
      input: z.object({ summary: z.string().describe('What is accepted, in one sentence, for the person who is asked.') }),
      needsApproval: true,
      run: ({ summary }) => `Accepted: ${summary}`,
    }),
  },
  agents: {
    planner: {
      model,
      instructions: 'Name the three plants that the question asks about, or that answer it best: one a line, nothing else.',
    },
    researcher: { model, instructions: 'Look the plant up, and say what is known of it in one sentence.', tools: ['lookUp'] },
    reviewer: {
      model,
      instructions: 'Read the findings. Accept them by acceptFindings if they fit together, then say so in one sentence.',
      tools: ['acceptFindings'],
    },
    writer: { model, instructions: 'Write the report: one paragraph, from the findings alone.' },
  },
});

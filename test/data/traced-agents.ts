/** Agents whose turns are traced: one whose tool has to be approved, and one that asks another. */
import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';

const mail = defineTool({
  description: 'Sends a mail.',
  input: z.object({ to: z.string() }),
  needsApproval: true,
  run: ({ to }, { traceparent }) => `sent to ${to} in ${traceparent ?? 'no trace'}`,
});

export default defineConfig({
  tools: { mail },
  agents: {
    clerk: { model: 'clerk-model', tools: ['mail'] },
    lead: { model: 'lead-model', tools: ['agent:helper'] },
    helper: { model: 'helper-model' },
  },
});

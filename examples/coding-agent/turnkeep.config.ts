import { join } from 'node:path';
import { defineConfig } from 'turnkeep/config';

/** What the agent may see and change, and nothing else. */
const folder = process.env['PROJECT'] ?? join(import.meta.dirname, 'project');

export default defineConfig({
  mcpServers: {
    files: {
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-filesystem', folder],
      // It reads as it likes. For these a person is asked.
      needsApproval: ['write_file', 'edit_file', 'create_directory', 'move_file'],
    },
  },
  agents: {
    coder: {
      model: process.env['TURNKEEP_MODEL'] ?? 'gpt-5-mini',
      instructions: `You mend and extend the code in ${folder}. Read before you write, change as little as you can, and say in the end what you did.`,
      tools: ['mcp:files'],
      // Of one turn. Past one of them it ends as failed, with all that it did kept.
      limits: { steps: 20, toolCalls: 40, outputTokens: 50_000, wallTimeMs: 600_000 },
    },
  },
});

/** A configuration with agents, for processes that load one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { folderOf } from '../cli/folder.ts';

/**
 * An agent `clerk`: `look` may be called, `drop` and `keep` wait for an approval, and all return the arguments that they ran with.
 *
 * @returns the environment that names it
 */
export function clerkConfig(context: TestContext): { readonly TURNKEEP_CONFIG: string } {
  const path = join(folderOf(context), 'turnkeep.config.ts');
  writeFileSync(
    path,
    `import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';
const tool = (needsApproval: boolean) => defineTool({
  description: 'a tool',
  input: z.object({ at: z.string() }),
  needsApproval,
  run({ at }) {
    if (at === 'nowhere') throw new Error('There is no such place.');
    return 'was at ' + at;
  },
});
export default defineConfig({
  tools: { look: tool(false), drop: tool(true), keep: tool(true) },
  agents: { clerk: { model: 'scripted', tools: ['look', 'drop', 'keep'] } },
});
`,
  );
  return { TURNKEEP_CONFIG: path };
}

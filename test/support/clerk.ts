/** A process that serves an agent with tools, one for all tests of a file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { LoggedRequest, ModelServer } from '../../src/testing/model-server/index.ts';
import { startCluster } from './processes.ts';

const config = `import { defineConfig, defineTool } from 'turnkeep/config';
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
`;

export interface Clerk {
  /** Of the gateway. */
  readonly url: string;
  /** The model server, with the requests for turns that were made since this test has asked for the clerk. */
  readonly model: Pick<ModelServer, 'enqueue' | 'release'> & { readonly requests: readonly LoggedRequest[] };
  /** The outputs of calls that the model is told of in its n-th request, in their order. */
  readonly outputs: (n: number) => string[];
}

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-clerk-'));
const path = join(folder, 'turnkeep.config.ts');
writeFileSync(path, config);
const cluster = await startCluster({ env: { TURNKEEP_CONFIG: path } });
// Here it is a hook of the file; in a test it would be that test's.
after(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
const { url } = await cluster.startServe();

/**
 * The agent `clerk`: `look` may be called, `drop` and `keep` wait for an approval, and all return the arguments that they ran with.
 * A test has to use up the answers that it enqueues.
 */
export function clerk(): Clerk {
  const { model } = cluster;
  // Without those for the list of models.
  const turns = (): LoggedRequest[] => model.requests.filter(({ body }) => body !== undefined);
  const before = turns().length;
  return {
    url,
    model: {
      enqueue: (...scripts) => model.enqueue(...scripts),
      release: (name) => model.release(name),
      get requests() {
        return turns().slice(before);
      },
    },
    outputs: (n) => {
      const { messages } = turns()[before + n - 1]!.body as { messages: { role: string; content: string }[] };
      return messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
    },
  };
}

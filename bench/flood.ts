/** The tenant that floods, in a process of its own: what the other one waits for is not to be its neighbour's work as a client. */
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { serveCalls } from './support/child.ts';

interface Start {
  readonly url: string;
  readonly apiKey: string;
  /** Posts that wait for their answer at the same time. */
  readonly atOnce: number;
  readonly input: string;
}

export interface Flooded {
  readonly taken: number;
  /** And told when to come back. */
  readonly refused: number;
}

let stopping = new AbortController();
let floods: Promise<unknown> = Promise.resolve();
let [taken, refused] = [0, 0];

async function post({ client, input }: { readonly client: OpenAI; readonly input: string }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answer = await client.responses
      .create({ model: 'scripted', input, background: true, store: true })
      .asResponse()
      .catch((error: unknown) => error);
    if (answer instanceof Response) {
      taken += 1;
      await answer.arrayBuffer();
      continue;
    }
    refused += 1;
    const retryAfterS = Number((answer as { headers?: Headers }).headers?.get('retry-after') ?? 1);
    await sleep(retryAfterS * 1_000, undefined, { signal }).catch(() => undefined);
  }
}

serveCalls({
  start: ({ url, apiKey, atOnce, input }: Start) => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
    stopping = new AbortController();
    [taken, refused] = [0, 0];
    floods = Promise.all(Array.from({ length: atOnce }, () => post({ client, input }, stopping.signal)));
  },
  /** Resolves once the last post has its answer. */
  stop: async (): Promise<Flooded> => {
    const flooded = { taken, refused };
    stopping.abort();
    await floods;
    return flooded;
  },
});

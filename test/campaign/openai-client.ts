/** OpenAI's own client, which posts again by itself, and knows of no key of ours but by a header. */
import OpenAI from 'openai';
import type { Client, Posting } from './client.ts';
import { Sight } from './sight.ts';

const retries = 2;

/**
 * Streams a turn; what breaks off in the midst of it is read on by `retrieve`.
 * @returns whether it has seen the end itself
 */
export async function streamByOpenai(client: Client, posting: Posting): Promise<boolean> {
  const { turn, session, body } = posting;
  const { log, urls, dice, signal } = client.options;
  const sight = new Sight();
  let id: string | undefined;
  log.add({ op: 'post', turn, session });
  while (!client.isOver && !sight.isDone) {
    const openai = new OpenAI({ baseURL: `${dice.pick(urls)}/v1`, apiKey: 'none', maxRetries: retries });
    const before = sight.mark();
    try {
      const options = { headers: { 'idempotency-key': turn }, signal };
      const stream =
        id === undefined
          ? await openai.responses.create(body as OpenAI.Responses.ResponseCreateParamsStreaming, options)
          : await openai.responses.retrieve(
              id,
              { stream: true, ...(sight.count === 0 ? {} : { starting_after: sight.count - 1 }) },
              { signal },
            );
      for await (const event of stream) {
        if (id === undefined && 'response' in event) {
          ({ id } = event.response);
          log.add({ op: 'accepted', turn, id });
        }
        sight.take(event.type, event.sequence_number, JSON.stringify(event));
      }
      // It hides `[DONE]`: its own end is that, or a connection that was cut so that it looks like one.
      if (sight.ends.length > 0) sight.isDone = true;
    } catch (error) {
      const { status } = error as { readonly status?: number };
      if (status !== undefined && status < 500 && status !== 408 && status !== 429) {
        log.add({ op: 'client saw', turn, what: `openai: ${String(error)}` });
        return false;
      }
    }
    client.viewed(turn, sight, before);
    if (!sight.isDone) await client.pause();
  }
  return sight.isDone;
}

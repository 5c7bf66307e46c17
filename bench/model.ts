/** The model server in a process of its own. Answers what the last message of a request orders (`support/orders.ts`). */
import {
  chat,
  done,
  end,
  hold,
  type ModelServer,
  type Script,
  sseHead,
  stall,
  startModelServer,
  wait,
} from '../src/testing/model-server/index.ts';
import { serveCalls } from './support/child.ts';
import { clockMs } from './support/clock.ts';
import { orderOf } from './support/orders.ts';

let server: ModelServer | undefined;

function theServer(): ModelServer {
  if (server === undefined) throw new Error('not started');
  return server;
}

function scriptOf(body: unknown): Script {
  const { messages } = body as { messages: { content: string | { text: string }[] }[] };
  const content = messages.at(-1)?.content ?? '';
  const {
    tokens,
    waitMs = 0,
    gate,
    stalls = false,
  } = orderOf(typeof content === 'string' ? content : content.map((part) => part.text).join(''));
  const says = Array.from({ length: tokens }, (_, at) => chat.content(` tok${at % 10}`));
  return [
    sseHead,
    chat.role(),
    ...(gate === undefined ? [] : [hold(gate)]),
    ...(waitMs === 0 ? says : says.flatMap((say) => [say, wait(waitMs)])),
    ...(stalls ? [stall] : [chat.finish(), chat.usage(3, tokens), done, end]),
  ];
}

serveCalls({
  start: async () => {
    server = await startModelServer({ fallback: ({ body }) => scriptOf(body) });
    return server.baseUrl;
  },
  reached: (gate: string) => theServer().reached(gate),
  /** The moment before the bytes are written. */
  release: (gate: string) => {
    const atMs = clockMs();
    theServer().release(gate);
    return atMs;
  },
  count: () => theServer().requests.length,
  /** When the client hung up on request n, on our clock. */
  clientClosed: async (n: number) => {
    const { endedAtMs = Number.NaN } = await theServer().clientClosed(n);
    return endedAtMs + (clockMs() - (performance.timeOrigin + performance.now()));
  },
  close: () => server?.close(),
});

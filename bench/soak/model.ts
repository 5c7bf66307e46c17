/** The model server of a soak, in a process of its own: does what the last message of a request orders, and books each request. */
import {
  chat,
  done,
  end,
  httpError,
  type ModelServer,
  reset,
  type Script,
  sseHead,
  startModelServer,
  wait,
} from '../../src/testing/model-server/index.ts';
import { serveCalls } from '../support/child.ts';
import { clockMs } from '../support/clock.ts';
import type { SoakOrder } from './plan.ts';

/** Of one turn: when its requests arrived, on `clockMs`. */
export type Arrivals = ReadonlyMap<string, readonly number[]>;

const arrivals = new Map<string, number[]>();
let server: ModelServer | undefined;

function scriptOf(body: unknown): Script {
  const { messages } = body as { messages: { content: string | { text: string }[] }[] };
  const content = messages.at(-1)?.content ?? '';
  const order = JSON.parse(typeof content === 'string' ? content : content.map(({ text }) => text).join('')) as SoakOrder;
  const ofTurn = arrivals.get(order.marker) ?? [];
  arrivals.set(order.marker, ofTurn);
  ofTurn.push(clockMs());
  return script(order, ofTurn.length);
}

/** @param nth request of its turn: it is in each token, so that an answer tells which request it is from */
function script({ tokens, waitMs, fault }: SoakOrder, nth: number): Script {
  const says = Array.from({ length: tokens }, (_, at) => [chat.content(` ${nth}.${at}`), wait(waitMs)]);
  if (fault?.type === 'unstarted' && nth <= fault.times) {
    return nth % 2 === 1 ? [reset] : [sseHead, chat.role(), wait(waitMs), reset];
  }
  if (fault?.type === 'busy' && nth <= fault.times) return httpError(429, undefined, { 'retry-after': '1' });
  if (fault?.type === 'reset') return [sseHead, chat.role(), ...says.slice(0, fault.behind).flat(), reset];
  return [sseHead, chat.role(), ...says.flat(), chat.finish(), chat.usage(3, tokens), done, end];
}

serveCalls({
  start: async () => {
    // Not kept: an hour of bodies is more than a process can hold.
    server = await startModelServer({ keepLog: false, fallback: ({ body }) => scriptOf(body) });
    return server.baseUrl;
  },
  arrivals: (): Arrivals => arrivals,
  close: () => server?.close(),
});

/** Reads a turn's stream as bytes, with as little work as there can be: when they came, and how many events they were. */
import { Agent, request } from 'node:http';
import { clockMs } from './clock.ts';
import { type Order, promptOf } from './orders.ts';

const agent = new Agent({ keepAlive: true });
const deltaMark = 'event: response.output_text.delta';

export interface Seen {
  readonly id: string;
  /** When the first delta was here, and when the stream had ended. */
  readonly firstDeltaAtMs: number;
  readonly endedAtMs: number;
  readonly deltaEvents: number;
}

export interface Watching {
  /** The id of the response. */
  readonly shown: Promise<string>;
  readonly ended: Promise<Seen>;
}

/** Posts a turn and reads its stream to the end. `shown` resolves at the first delta. */
export function watchTurn(url: string, order: Order, conversation?: string): Watching {
  const shown = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<Seen>();
  // A caller may wait for the one and not for the other.
  shown.promise.catch(() => undefined);
  ended.promise.catch(() => undefined);
  const fail = (error: Error): void => {
    shown.reject(error);
    ended.reject(error);
  };
  const headers = { 'content-type': 'application/json' };
  const posting = request(`${url}/v1/responses`, { method: 'POST', headers, agent }, (answer) => {
    if (answer.statusCode !== 200) fail(new Error(`status ${answer.statusCode}`));
    const id = String(answer.headers['x-turnkeep-response-id']);
    let firstDeltaAtMs = Number.NaN;
    let text = '';
    answer.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (!Number.isNaN(firstDeltaAtMs) || !text.includes(deltaMark)) return;
      firstDeltaAtMs = clockMs();
      shown.resolve(id);
    });
    answer.on('end', () => {
      if (!text.includes('event: response.completed') && order.stalls !== true) fail(new Error(`turn ${id} was not completed`));
      ended.resolve({ id, firstDeltaAtMs, endedAtMs: clockMs(), deltaEvents: text.split(deltaMark).length - 1 });
    });
    answer.on('error', fail);
  });
  posting.on('error', fail);
  posting.end(
    JSON.stringify({ model: 'scripted', input: promptOf(order), stream: true, ...(conversation === undefined ? {} : { conversation }) }),
  );
  return { shown: shown.promise, ended: ended.promise };
}

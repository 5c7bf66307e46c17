/** Reads streams as bytes, with as little work as there can be: when they came, and how many events they were. */
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

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** Posts a turn and reads its stream to the end. `shown` resolves at the first delta. */
export function watchTurn(url: string, order: Order, conversation?: string): Watching {
  const body = { model: 'scripted', input: promptOf(order), stream: true, ...(conversation === undefined ? {} : { conversation }) };
  return watch(`${url}/v1/responses`, body, deltaMark, order.stalls === true ? '' : 'event: response.completed');
}

/** The same request to the model itself. */
export function watchModel(modelUrl: string, messages: readonly Message[]): Watching {
  return watch(`${modelUrl}/chat/completions`, { model: 'scripted', stream: true, messages }, '"content":" tok', 'data: [DONE]');
}

/** @param endMark must be in the stream */
function watch(url: string, body: object, mark: string, endMark: string): Watching {
  const shown = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<Seen>();
  // A caller may wait for the one and not for the other.
  shown.promise.catch(() => undefined);
  ended.promise.catch(() => undefined);
  const fail = (error: Error): void => {
    shown.reject(error);
    ended.reject(error);
  };
  const posting = request(url, { method: 'POST', headers: { 'content-type': 'application/json' }, agent }, (answer) => {
    const id = String(answer.headers['x-turnkeep-response-id']);
    let firstDeltaAtMs = Number.NaN;
    let text = '';
    answer.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (!Number.isNaN(firstDeltaAtMs) || !text.includes(mark)) return;
      firstDeltaAtMs = clockMs();
      shown.resolve(id);
    });
    answer.on('end', () => {
      if (answer.statusCode !== 200) fail(new Error(`status ${answer.statusCode}: ${text.slice(0, 200)}`));
      if (!text.includes(endMark)) fail(new Error(`${id} was not completed: ${text.slice(-200)}`));
      ended.resolve({ id, firstDeltaAtMs, endedAtMs: clockMs(), deltaEvents: text.split(mark).length - 1 });
    });
    answer.on('error', fail);
  });
  posting.on('error', fail);
  posting.end(JSON.stringify(body));
  return { shown: shown.promise, ended: ended.promise };
}

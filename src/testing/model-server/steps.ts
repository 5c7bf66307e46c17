/** A short name for each step of a script (`Step` in `script.ts` says what each does). */
import type { HeadStep, Step } from './script.ts';

/**
 * Status line and headers.
 *
 * @example
 *     import { head } from 'turnkeep/testing';
 *
 *     head({ status: 503, headers: { 'retry-after': '1' }, framing: { length: 0 } })
 */
export const head = (options: Omit<HeadStep, 'type'> = {}): Step => ({ type: 'head', ...options });
/** The head of every healthy stream: 200, `text/event-stream`, chunked. */
export const sseHead: Step = head();

/** Bytes without any framing. */
export const raw = (bytes: string | Uint8Array): Step => ({ type: 'raw', bytes });
/** Bytes of the body. */
export const text = (body: string | Uint8Array): Step => ({ type: 'text', text: body });
/** One server-sent event with JSON data. */
export const event = (data: unknown, name?: string): Step =>
  name === undefined ? { type: 'event', data } : { type: 'event', data, event: name };
/** A server-sent comment, which starts no step and resets no deadline. */
export const comment = (body: string): Step => ({ type: 'comment', text: body });
/** `data: [DONE]` */
export const done: Step = { type: 'done' };

/** Waits so many milliseconds. */
export const wait = (ms: number): Step => ({ type: 'wait', ms });
/**
 * Waits until `server.release(name)`.
 *
 * @example
 *     import { chat, done, end, hold, sseHead, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
 *     await server.reached('go'); // the first delta is sent
 *     server.release('go');
 */
export const hold = (name: string): Step => ({ type: 'hold', name });
/** Writes all that follows in pieces of so many bytes; 0 switches it off. */
export const split = (bytes: number): Step => ({ type: 'split', bytes });
/** The chunk so many times. */
export const repeat = (times: number, chunk: string | Uint8Array): Step => ({ type: 'repeat', times, chunk });

/** The proper end of the response. */
export const end: Step = { type: 'end' };
/** TCP FIN, without the end of the body. */
export const fin: Step = { type: 'fin' };
/** TCP RST. */
export const reset: Step = { type: 'reset' };
/** Nothing more, until the client closes. */
export const stall: Step = { type: 'stall' };

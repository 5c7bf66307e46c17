/** The steps of a script by short names, so that a script reads as a list of what happens. */
import type { HeadStep, Step } from './script.ts';

export const head = (options: Omit<HeadStep, 'type'> = {}): Step => ({ type: 'head', ...options });
/** The head of every healthy stream: 200, `text/event-stream`, chunked. */
export const sseHead: Step = head();

export const raw = (bytes: string | Uint8Array): Step => ({ type: 'raw', bytes });
export const text = (body: string | Uint8Array): Step => ({ type: 'text', text: body });
export const event = (data: unknown, name?: string): Step =>
  name === undefined ? { type: 'event', data } : { type: 'event', data, event: name };
export const comment = (body: string): Step => ({ type: 'comment', text: body });
export const done: Step = { type: 'done' };

export const wait = (ms: number): Step => ({ type: 'wait', ms });
export const hold = (name: string): Step => ({ type: 'hold', name });
export const split = (bytes: number): Step => ({ type: 'split', bytes });
export const repeat = (times: number, chunk: string | Uint8Array): Step => ({ type: 'repeat', times, chunk });

export const end: Step = { type: 'end' };
export const fin: Step = { type: 'fin' };
export const reset: Step = { type: 'reset' };
export const stall: Step = { type: 'stall' };

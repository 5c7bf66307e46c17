/**
 * A script: what the server does with one request, as a list of steps that are played from the first to the last.
 *
 * Its last step is `end`, `fin`, `reset` or `stall`, and none of these stands before the last. `checkScript` enforces
 * it where a script is enqueued: a test that forgot the end fails at once, and not with a truncated stream later.
 */

/**
 * How the client learns where the body ends.
 * - `chunked`: by the last chunk; a cut body is recognised.
 * - `{ length }`: by `content-length`; a cut body is recognised. The script may send fewer bytes.
 * - `close`: by the end of the connection, in HTTP/1.1; a cut body looks like a whole one.
 * - `http10`: as `close`, in HTTP/1.0.
 */
export type Framing = 'chunked' | 'close' | 'http10' | { readonly length: number };

export interface HeadStep {
  readonly type: 'head';
  /** Default 200. Below 200 it is an interim response, and another head must follow. */
  readonly status?: number;
  /** Sent as they are, after those of the framing. Default `content-type: text/event-stream`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `chunked`. */
  readonly framing?: Framing;
}

export type Step =
  | HeadStep
  /** Bytes without any framing: broken chunks, half a head, another protocol. */
  | { readonly type: 'raw'; readonly bytes: string | Uint8Array }
  /** Bytes of the body, in the framing of the head. */
  | { readonly type: 'text'; readonly text: string | Uint8Array }
  /** One server-sent event with JSON data. */
  | { readonly type: 'event'; readonly data: unknown; readonly event?: string }
  | { readonly type: 'comment'; readonly text: string }
  /** `data: [DONE]` */
  | { readonly type: 'done' }
  | { readonly type: 'wait'; readonly ms: number }
  /** Waits until `server.release(name)`. Once released, the name holds nothing any more. */
  | { readonly type: 'hold'; readonly name: string }
  /** All that follows, framing included, is written in pieces of so many bytes; 0 switches it off. */
  | { readonly type: 'split'; readonly bytes: number }
  /** The chunk so many times, as fast as the client reads, until it closes. Small chunks share a write of 64 KB. */
  | { readonly type: 'repeat'; readonly times: number; readonly chunk: string | Uint8Array }
  /** The proper end of the body; the connection stays open if framing and headers allow it. */
  | { readonly type: 'end' }
  /** TCP FIN, without the end of the body. */
  | { readonly type: 'fin' }
  /**
   * TCP RST. It may destroy bytes that the client has not read: put a `hold` before it, and release that once the
   * client has read them.
   */
  | { readonly type: 'reset' }
  /** Nothing more, until the client closes or the server stops. */
  | { readonly type: 'stall' };

export type Script = readonly Step[];

const endings: ReadonlySet<Step['type']> = new Set<Step['type']>(['end', 'fin', 'reset', 'stall']);
const needHead: ReadonlySet<Step['type']> = new Set<Step['type']>(['text', 'event', 'comment', 'done', 'repeat', 'end']);

/**
 * Throws a `TypeError` that names the step if the script cannot be played. `enqueue` does so for every script; for one
 * that a function returns it happens when its request arrives.
 *
 * @example
 *     import { chat, checkScript, sseHead } from 'turnkeep/testing';
 *
 *     checkScript([sseHead, chat.content('Hel')]); // step 1 (event): a script ends with end, fin, reset or stall
 */
export function checkScript(script: Script): void {
  let hasHead = false;
  script.forEach((step, at) => {
    const name = `step ${at} (${step.type})`;
    const isLast = at === script.length - 1;
    if (isLast !== endings.has(step.type)) {
      throw new TypeError(isLast ? `${name}: a script ends with end, fin, reset or stall` : `${name} ends the script, yet steps follow`);
    }
    if (needHead.has(step.type) && !hasHead) throw new TypeError(`${name} needs a head before it`);
    if (step.type === 'head') hasHead = (step.status ?? 200) >= 200;
  });
  if (script.length === 0) throw new TypeError('an empty script: it must at least say how it ends');
}

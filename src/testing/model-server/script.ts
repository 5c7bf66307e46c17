/**
 * What the server does with one request: a script, plain data played from the first step to the last.
 *
 * A script says how it ends: its last step is `end`, `fin`, `reset` or `stall`, and no other step is.
 * So a test that forgot the end of its answer fails when it is written down (`checkScript`), not as a riddle
 * about truncated streams.
 */

/**
 * How the client learns where the body ends.
 * - `chunked`: by the last chunk; a body cut short can be told from a whole one.
 * - `{ length }`: by counting; the same. The script is free to send fewer bytes.
 * - `close`: HTTP/1.1 without any length; a cut body cannot be told from a whole one.
 * - `http10`: the same in HTTP/1.0.
 */
export type Framing = 'chunked' | 'close' | 'http10' | { readonly length: number };

export interface HeadStep {
  readonly type: 'head';
  /** 200 unless told. Below 200 it is an interim answer, and another head must follow. */
  readonly status?: number;
  /** Sent as they are, after nothing but the framing's own. Unless told, `content-type: text/event-stream`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `chunked` unless told. */
  readonly framing?: Framing;
}

export type Step =
  | HeadStep
  /** Bytes onto the socket past all framing: broken chunks, half a head, another protocol. */
  | { readonly type: 'raw'; readonly bytes: string | Uint8Array }
  /** Bytes of the body, in the framing of the head. */
  | { readonly type: 'text'; readonly text: string | Uint8Array }
  /** One server-sent event with JSON data. */
  | { readonly type: 'event'; readonly data: unknown; readonly event?: string }
  | { readonly type: 'comment'; readonly text: string }
  /** `data: [DONE]` */
  | { readonly type: 'done' }
  | { readonly type: 'wait'; readonly ms: number }
  /** Waits until `server.release(name)`. A name is a gate: once released it stays open. */
  | { readonly type: 'hold'; readonly name: string }
  /** What follows, framing included, goes out in pieces of so many bytes, each a write of its own; 0 switches it off. */
  | { readonly type: 'split'; readonly bytes: number }
  /** The chunk so many times, at the client's pace, until the client is gone. Small chunks share a write of 64 KB. */
  | { readonly type: 'repeat'; readonly times: number; readonly chunk: string | Uint8Array }
  /** The proper end of the body; the connection stays when framing and headers allow. */
  | { readonly type: 'end' }
  /** The socket is ended politely, the body left as it is. */
  | { readonly type: 'fin' }
  /**
   * TCP RST. What the client has not read by then may be lost to it, as in life: put a `hold` before it
   * and release that once the client has shown what it should have seen.
   */
  | { readonly type: 'reset' }
  /** Nothing more, for ever: until the client hangs up or the server stops. */
  | { readonly type: 'stall' };

export type Script = readonly Step[];

const endings: ReadonlySet<Step['type']> = new Set<Step['type']>(['end', 'fin', 'reset', 'stall']);
const needHead: ReadonlySet<Step['type']> = new Set<Step['type']>(['text', 'event', 'comment', 'done', 'repeat', 'end']);

/** Throws a `TypeError` that names the step if the script cannot be played. */
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

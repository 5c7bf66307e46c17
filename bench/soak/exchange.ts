/** One HTTP exchange with a gateway that may die, or stand still, at any moment of it. */
import { Agent, type IncomingMessage, request } from 'node:http';

const agent = new Agent({ keepAlive: true });
const heard = new WeakSet<object>();

export interface Exchange {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: string;
  readonly key?: string;
  /** Besides those of the body and the key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Given up when nothing comes for this long. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  readonly onHeaders?: (status: number, responseId: string | undefined) => void;
  /** Of a 200 alone; without it the text is returned. */
  readonly onText?: (piece: string) => void;
  /** How long nothing more is read behind each piece. */
  readonly pauseMs?: number;
}

export type Exchanged =
  /** The answer came whole. `text` is empty where `onText` has taken it. */
  { readonly type: 'answered'; readonly status: number; readonly text: string } | { readonly type: 'broken'; readonly why: string };

/** Never rejects. */
export async function exchange(options: Exchange): Promise<Exchanged> {
  const { method, url, body, key, patienceMs, signal, onHeaders, onText, pauseMs = 0 } = options;
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...options.headers,
  };
  return new Promise((resolve) => {
    const broken = (error: NodeJS.ErrnoException): void => resolve({ type: 'broken', why: error.code ?? error.message });
    const sent = request(url, { method, headers, agent, signal, timeout: patienceMs }, (answer: IncomingMessage) => {
      const { statusCode: status = 0, headers } = answer;
      const id = headers['x-turnkeep-response-id'];
      onHeaders?.(status, typeof id === 'string' ? id : undefined);
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => {
        if (onText !== undefined && status === 200) onText(piece);
        else text += piece;
        if (pauseMs === 0) return;
        answer.pause();
        setTimeout(() => answer.resume(), pauseMs);
      });
      answer.on('end', () => resolve({ type: 'answered', status, text }));
      answer.on('error', broken);
      answer.on('close', () => resolve({ type: 'broken', why: 'closed' }));
    });
    sent.on('socket', (socket) => {
      if (heard.has(socket)) return;
      heard.add(socket);
      // Of a request that is given up behind the last byte of its answer, the socket alone is told.
      socket.on('error', () => {});
    });
    sent.on('timeout', () => sent.destroy(new Error('no patience')));
    sent.on('error', broken);
    sent.end(body);
  });
}

/** May the same request be sent again? */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

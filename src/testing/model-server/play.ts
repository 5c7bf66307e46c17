/** Plays a script on a connection: each kind of step is one case of the switch. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSocket } from './client-socket.ts';
import { endBytes, framed, headBytes, keepsAlive } from './framing.ts';
import { type Gates, untilAborted } from './gates.ts';
import type { OpenRequest } from './request-log.ts';
import type { HeadStep, Script, Step } from './script.ts';

const blockBytes = 64 * 1_024;

export interface PlayContext {
  readonly socket: ClientSocket;
  readonly gates: Gates;
  readonly request: OpenRequest;
  /** Called before the last step acts on the socket, so that the close that follows is not blamed on the client. */
  readonly onEnd: () => void;
}

/** Resolves to whether the connection can be used for another request. */
export async function play(script: Script, { socket, gates, request, onEnd }: PlayContext): Promise<boolean> {
  let head: Omit<HeadStep, 'type'> = {};
  let bodyBytes = 0;
  /** The last piece of the body, written together with the end: else a client that has read it could close before the script has ended. */
  let unsent: Buffer = Buffer.alloc(0);
  const write = async (bytes: Buffer): Promise<void> => {
    request.bytesSent += await socket.write(bytes);
  };

  for (const [at, step] of script.entries()) {
    if (socket.closed.aborted) return false;
    switch (step.type) {
      case 'head':
        head = step;
        await write(headBytes(step));
        break;
      case 'raw':
        await write(Buffer.from(step.bytes));
        break;
      case 'text':
      case 'event':
      case 'comment':
      case 'done': {
        const body = bodyOf(step);
        bodyBytes += body.length;
        const bytes = framed(head.framing ?? 'chunked', body);
        if (script[at + 1]?.type === 'end') unsent = bytes;
        else await write(bytes);
        break;
      }
      case 'repeat': {
        const chunk = Buffer.from(step.chunk);
        const perBlock = Math.max(1, Math.floor(blockBytes / Math.max(1, chunk.length)));
        const block = Buffer.concat(Array.from({ length: Math.min(perBlock, step.times) }, () => chunk));
        for (let left = step.times; left > 0 && !socket.closed.aborted; left -= perBlock) {
          const part = left < perBlock ? block.subarray(0, left * chunk.length) : block;
          bodyBytes += part.length;
          await write(framed(head.framing ?? 'chunked', part));
        }
        break;
      }
      case 'split':
        socket.splitInto(step.bytes);
        break;
      case 'wait':
        await sleep(step.ms, undefined, { signal: socket.closed }).catch(() => {});
        break;
      case 'hold':
        await gates.pass(step.name, socket.closed);
        break;
      case 'stall':
        await untilAborted(socket.closed);
        return false;
      case 'end':
        await write(Buffer.concat([unsent, endBytes(head.framing ?? 'chunked')]));
        if (socket.closed.aborted) return false;
        onEnd();
        socket.splitInto(0);
        return keepsAlive(head, bodyBytes);
      case 'fin':
        onEnd();
        socket.fin();
        return false;
      case 'reset':
        onEnd();
        socket.reset();
        return false;
      default:
        return step satisfies never;
    }
  }
  return false;
}

function bodyOf(step: Extract<Step, { type: 'text' | 'event' | 'comment' | 'done' }>): Buffer {
  switch (step.type) {
    case 'text':
      return Buffer.from(step.text);
    case 'comment':
      return Buffer.from(`: ${step.text}\n\n`);
    case 'done':
      return Buffer.from('data: [DONE]\n\n');
    case 'event': {
      const name = step.event === undefined ? '' : `event: ${step.event}\n`;
      return Buffer.from(`${name}data: ${JSON.stringify(step.data)}\n\n`);
    }
    default:
      return step satisfies never;
  }
}

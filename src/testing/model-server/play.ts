/** Plays a script on a connection. All that a script can do to a client is in this one switch. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endBytes, framed, headBytes, keepsAlive } from './framing.ts';
import { aborted, type Gates } from './gates.ts';
import type { OpenRequest } from './request-log.ts';
import type { HeadStep, Script, Step } from './script.ts';
import type { ClientSocket } from './client-socket.ts';

const blockBytes = 64 * 1_024;

export interface PlayContext {
  readonly wire: ClientSocket;
  readonly gates: Gates;
  readonly request: OpenRequest;
  /** Called before the step that ends the script touches the socket, so that it is never taken for the client's doing. */
  readonly onEnd: () => void;
}

/** Resolves to whether the answer leaves the connection fit for another one. */
export async function play(script: Script, { wire, gates, request, onEnd }: PlayContext): Promise<boolean> {
  let head: Omit<HeadStep, 'type'> = {};
  let bodyBytes = 0;
  /** Body that is written together with the end: else a client could have all it wants and be gone before the script has ended. */
  let unsent: Buffer = Buffer.alloc(0);
  const write = async (bytes: Buffer): Promise<void> => {
    request.bytesSent += await wire.write(bytes);
  };

  for (const [at, step] of script.entries()) {
    if (wire.closed.aborted) return false;
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
        for (let left = step.times; left > 0 && !wire.closed.aborted; left -= perBlock) {
          const part = left < perBlock ? block.subarray(0, left * chunk.length) : block;
          bodyBytes += part.length;
          await write(framed(head.framing ?? 'chunked', part));
        }
        break;
      }
      case 'split':
        wire.splitInto(step.bytes);
        break;
      case 'wait':
        await sleep(step.ms, undefined, { signal: wire.closed }).catch(() => {});
        break;
      case 'hold':
        await gates.pass(step.name, wire.closed);
        break;
      case 'stall':
        await aborted(wire.closed);
        return false;
      case 'end':
        await write(Buffer.concat([unsent, endBytes(head.framing ?? 'chunked')]));
        if (wire.closed.aborted) return false;
        onEnd();
        wire.splitInto(0);
        return keepsAlive(head, bodyBytes);
      case 'fin':
        onEnd();
        wire.fin();
        return false;
      case 'reset':
        onEnd();
        wire.reset();
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

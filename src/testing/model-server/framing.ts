/** The bytes of a response: its head, and its body in the framing of the head. Pure. */
import { STATUS_CODES } from 'node:http';
import type { Framing, HeadStep } from './script.ts';

const nothing = Buffer.alloc(0);

export function headBytes({ status = 200, headers = {}, framing = 'chunked' }: Omit<HeadStep, 'type'>): Buffer {
  const version = framing === 'http10' ? 'HTTP/1.0' : 'HTTP/1.1';
  const lines = [`${version} ${status} ${STATUS_CODES[status] ?? ''}`];
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const add = (name: string, value: string): void => {
    if (!given.has(name)) lines.push(`${name}: ${value}`);
  };
  if (status >= 200) {
    add('content-type', 'text/event-stream');
    if (framing === 'chunked') add('transfer-encoding', 'chunked');
    else if (framing === 'close') add('connection', 'close');
    else if (framing !== 'http10') add('content-length', String(framing.length));
  }
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}

export function framed(framing: Framing, body: Buffer): Buffer {
  // A chunk of length 0 would end the body.
  if (framing !== 'chunked' || body.length === 0) return body;
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
}

export function endBytes(framing: Framing): Buffer {
  return framing === 'chunked' ? Buffer.from('0\r\n\r\n') : nothing;
}

/** Whether another response may follow on the connection, after this one with so many bytes of body. */
export function keepsAlive({ headers = {}, framing = 'chunked' }: Omit<HeadStep, 'type'>, bodyBytes: number): boolean {
  const saysClose = Object.entries(headers).some(([name, value]) => name.toLowerCase() === 'connection' && value.toLowerCase() === 'close');
  if (saysClose || framing === 'close' || framing === 'http10') return false;
  // With a wrong length the client would read the next response as part of this one.
  return framing === 'chunked' || framing.length === bodyBytes;
}

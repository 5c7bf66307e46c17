/** A crowd that watches one turn from a process of its own: bytes are counted, not kept. One of them may be slow. */
import { connect, type Socket } from 'node:net';
import { serveCalls } from './support/child.ts';
import { clockMs } from './support/clock.ts';
import { spreadOf } from './support/statistics.ts';

interface Watch {
  readonly url: string;
  readonly turn: string;
  readonly viewers: number;
  /** One more, that reads this much a second. */
  readonly slowBytesPerSecond?: number;
}

const eventMark = '\nevent: ';
const doneMark = 'data: [DONE]';

/** Of all viewers but the slow one. */
interface Tally {
  events: number;
  ended: number;
  bytes: number;
}

const tally: Tally = { events: 0, ended: 0, bytes: 0 };
const sockets = new Set<Socket>();
let allEnded = Promise.withResolvers<Tally>();
/** When the first of all viewers had the event of a number, and how long after it the others had it. */
const firstAtMs = new Map<string, number>();
let behindFirstMs: number[] = [];

function open(url: string, turn: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.write(`GET /v1/responses/${turn}?stream=true HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  sockets.add(socket);
  return socket;
}

async function watch({ url, turn, viewers, slowBytesPerSecond }: Watch): Promise<void> {
  Object.assign(tally, { events: 0, ended: 0, bytes: 0 });
  allEnded = Promise.withResolvers();
  firstAtMs.clear();
  behindFirstMs = [];
  await Promise.all(
    Array.from({ length: viewers }, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      let rest = '';
      open(url, turn)
        .setEncoding('latin1')
        .on('data', (piece: string) => {
          resolve();
          tally.bytes += piece.length;
          // A mark may lie across two pieces; none is counted twice.
          const text = rest + piece;
          rest = text.slice(1 - eventMark.length);
          const events = text.split(eventMark).length - 1;
          tally.events += events;
          if (events === 1) compare(text);
          if (!text.includes(doneMark)) return;
          tally.ended += 1;
          if (tally.ended === viewers) allEnded.resolve(tally);
        })
        .on('error', reject);
      await promise;
    }),
  );
  if (slowBytesPerSecond !== undefined) crawl(open(url, turn), slowBytesPerSecond);
}

/** An event that came alone, as a token does. */
function compare(text: string): void {
  const nowMs = clockMs();
  const id = /\nid: (\d+)\n/.exec(text)?.[1];
  if (id === undefined) return;
  const first = firstAtMs.get(id);
  if (first === undefined) firstAtMs.set(id, nowMs);
  else behindFirstMs.push(nowMs - first);
}

function crawl(socket: Socket, bytesPerSecond: number): void {
  const reading = setInterval(() => {
    socket.read(bytesPerSecond);
  }, 1_000);
  socket
    .on('readable', () => undefined)
    .once('close', () => {
      clearInterval(reading);
    });
}

serveCalls({
  watch,
  ended: () => allEnded.promise,
  events: () => tally.events,
  behindFirst: () => spreadOf(behindFirstMs),
  leave: () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  },
});

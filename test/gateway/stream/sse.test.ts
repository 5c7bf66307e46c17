/** Many viewers of one turn over real sockets: the same bytes for each, and none waits for another (T7, T12). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';
import { journalEncoder } from '../../../src/gateway/stream/encode.ts';
import { disconnectSignal } from '../../../src/gateway/stream/keep-alive.ts';
import { writeSse } from '../../../src/gateway/stream/sse.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { newTurn } from '../../store/contract.ts';
import { temporaryDatabase } from '../../store/temporary.ts';
import { Journal } from '../../support/journal.ts';

interface StreamServer extends AsyncDisposable {
  readonly port: number;
  /** One for each viewer, in the order they came. */
  readonly responses: readonly ServerResponse[];
  readonly errors: readonly unknown[];
  /** What was found each time that a viewer had taken nothing for `unreadTimeoutMs`: is the turn over? */
  readonly looks: readonly boolean[];
  looked(): Promise<void>;
}

/** A gateway that serves only streams: `/N` is the events of the turn after N. */
async function openServer(store: Store, unreadTimeoutMs?: number): Promise<StreamServer> {
  const responses: ServerResponse[] = [];
  const looks: boolean[] = [];
  const errors: unknown[] = [];
  const server = createServer((incoming, outgoing) => {
    responses.push(outgoing);
    const after = Number(incoming.url?.slice(1));
    const rows = (signal: AbortSignal): AsyncIterable<readonly JournalRow[]> => store.follow('resp_a', after, signal);
    const hasEnded = async (): Promise<boolean> => {
      const isSealed = (await store.readHead('resp_a'))?.isSealed ?? true;
      looks.push(isSealed);
      server.emit('look');
      return isSealed;
    };
    writeSse({ outgoing, signal: disconnectSignal(outgoing), encoder: journalEncoder, rows, hasEnded, unreadTimeoutMs }).catch(
      (error: unknown) => errors.push(error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    responses,
    errors,
    looks,
    async looked() {
      await once(server, 'look');
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function view({ port }: StreamServer, after = -1): Promise<IncomingMessage> {
  const asking = get({ port, host: '127.0.0.1', path: `/${after}`, agent: false });
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  return response;
}

/** Everything until the end; `isWhole` tells an end from a cut. */
async function readAll(response: IncomingMessage): Promise<{ text: string; isWhole: boolean }> {
  const pieces: Buffer[] = [];
  // By events, so that `pause` holds. A cut is an error too; `complete` tells.
  response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => undefined);
  await new Promise((resolve) => response.once('close', resolve));
  return { text: Buffer.concat(pieces).toString(), isWhole: response.complete };
}

function streamOf(rows: readonly JournalRow[]): string {
  return `${rows.map(({ seq, type, data }) => `event: ${type}\nid: ${seq}\ndata: ${data}\n\n`).join('')}data: [DONE]\n\n`;
}

/** The same numbers in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const theirTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('T7, T12 · 200 viewers at two gateways, who come, pause and go on as they please, get the same bytes', async () => {
  await using database = temporaryDatabase();
  const stores = [database.open(), database.open()];
  const journal = await Journal.open(stores[0]!, newTurn('resp_a'));
  await using first = await openServer(stores[0]!);
  await using second = await openServer(stores[1]!);
  const servers = [first, second];
  const roll = dice(7);
  const watching: Promise<void>[] = [];
  const paused = new Set<IncomingMessage>();

  async function come(server: StreamServer, after: number, pauses: boolean): Promise<void> {
    const response = await view(server, after);
    const reading = readAll(response);
    if (pauses) {
      response.pause();
      paused.add(response);
    }
    const { text, isWhole } = await reading;
    assert.equal(isWhole, true);
    assert.equal(text, streamOf(journal.rows.slice(after + 1)));
  }

  for (let step = 0; step < 400; step += 1) {
    if (step % 2 === 0) watching.push(come(servers[roll(2)]!, roll(2) === 0 ? -1 : roll(journal.rows.length), roll(4) === 0));
    await journal.append(stores[roll(2)]!, 1 + roll(3), 1 + roll(500));
    for (const response of paused) {
      if (roll(20) > 0) continue;
      paused.delete(response);
      response.resume();
    }
    await theirTurn();
  }
  await journal.seal(stores[roll(2)]!);
  for (const server of servers) watching.push(come(server, -1, false));
  const late = setInterval(() => {
    for (const response of paused) response.resume();
  }, 5);
  await Promise.all(watching);
  clearInterval(late);
  assert.deepEqual([...first.errors, ...second.errors], []);
});

test('T12 · a viewer that does not read holds up nobody, and what is kept for it is bounded', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await using server = await openServer(store);
  const stalled = await view(server);
  const quick = readAll(await view(server));
  const [kept] = server.responses;
  assert.ok(kept);
  let mostKept = 0;
  const rowChars = 1_000;
  // More than all the buffers of two sockets: 30 MB, in UTF-8.
  for (let at = 0; at < 750; at += 1) {
    await journal.append(store, 20, rowChars);
    await theirTurn();
    mostKept = Math.max(mostKept, kept.writableLength);
  }
  assert.ok(kept.writableLength > 0, 'it is stalled');
  await journal.seal(store);
  const all = streamOf(journal.rows);
  assert.equal((await quick).text, all, 'the other has all of it meanwhile');
  // What the socket may hold, and the one batch that filled it: two bytes a character here.
  const batchBytes = 2 * (65_536 + rowChars) + 256 * 300;
  assert.ok(mostKept <= kept.writableHighWaterMark + batchBytes, `${mostKept} bytes were kept of ${all.length}`);
  assert.deepEqual(await readAll(stalled), { text: all, isWhole: true });
});

test('T12 · a viewer that takes nothing may pause while the turn runs, and is cut once the turn is over', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await using server = await openServer(store, 20);
  const stalled = await view(server);
  const quick = readAll(await view(server));
  stalled.on('error', () => undefined);
  // More than the buffers of two sockets hold.
  for (let at = 0; at < 750; at += 1) {
    await journal.append(store, 20, 1_000);
    await theirTurn();
  }
  for (let look = 0; look < 3; look += 1) await server.looked();
  const [kept] = server.responses;
  assert.ok(kept);
  assert.deepEqual([kept.destroyed, server.looks.includes(true)], [false, false], 'while the turn runs it may pause');
  const cut = once(kept, 'close');
  await journal.seal(store);
  await cut;
  assert.equal(server.looks.at(-1), true);
  assert.equal((await quick).text, streamOf(journal.rows), 'the other has all of it');
  assert.deepEqual(server.errors, []);
});

test('T12 · a viewer that has the whole turn in its socket and does not read on is cut', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  // One batch, more than the buffers of two sockets hold: what is behind it is the end.
  await journal.append(store, 1, 8_000_000);
  await journal.seal(store);
  await using server = await openServer(store, 20);
  const stalled = await view(server);
  stalled.on('error', () => undefined);
  const [kept] = server.responses;
  assert.ok(kept);
  if (!kept.destroyed) await once(kept, 'close');
  assert.equal(kept.writableFinished, false);
});

test('T7 · a journal that goes away cuts its viewers off: no [DONE], no proper end', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  await using first = await openServer(here);
  await using second = await openServer(there);
  const servers = [first, second];
  const reading = await Promise.all(servers.map(async (server) => readAll(await view(server))).map(async (read) => ({ read })));
  await journal.append(here, 3);
  await theirTurn();
  const db = new DatabaseSync(database.path);
  db.exec('DELETE FROM journal_head; DELETE FROM journal');
  db.close();
  for (const { read } of reading) {
    const { text, isWhole } = await read;
    assert.equal(isWhole, false);
    assert.equal(text.includes('[DONE]'), false);
  }
  assert.deepEqual(
    servers.flatMap(({ errors }) => errors.map((error) => (error as Error).name)),
    ['JournalGoneError', 'JournalGoneError'],
  );
});

test('a viewer that asks for the connection to be closed gets its end by that', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await journal.seal(store);
  await using server = await openServer(store);
  const socket = connect(server.port, '127.0.0.1');
  socket.setEncoding('utf8').write('GET /-1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  let text = '';
  socket.on('data', (piece: string) => (text += piece));
  await once(socket, 'end');
  assert.match(text, /^connection: close\r$/im);
});

test('T7 · a viewer of HTTP/1.0 gets the events without chunks', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await using server = await openServer(store);
  const socket = connect(server.port, '127.0.0.1');
  socket.setEncoding('utf8').write('GET /-1 HTTP/1.0\r\n\r\n');
  let text = '';
  socket.on('data', (piece: string) => (text += piece));
  await once(socket, 'data');
  await journal.append(store, 3, 100);
  await journal.seal(store);
  await once(socket, 'close');
  assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), streamOf(journal.rows));
});

test('T7 · requests sent ahead on one connection are answered one after the other, none in the midst of another', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await using server = await openServer(store);
  const socket = connect(server.port, '127.0.0.1');
  socket.setEncoding('utf8').write('GET /-1 HTTP/1.1\r\nhost: a\r\n\r\nGET /0 HTTP/1.1\r\nhost: a\r\n\r\n');
  let text = '';
  socket.on('data', (piece: string) => (text += piece));
  await once(socket, 'data');
  for (let at = 0; at < 5; at += 1) {
    await journal.append(store, 2, 100);
    await theirTurn();
  }
  await journal.seal(store);
  while (text.split('\r\n0\r\n\r\n').length < 3) await once(socket, 'data');
  socket.destroy();
  const bodies = text
    .split('HTTP/1.1 200 OK\r\n')
    .slice(1)
    .map((response) => unchunked(response.slice(response.indexOf('\r\n\r\n') + 4)));
  assert.deepEqual(bodies, [streamOf(journal.rows), streamOf(journal.rows.slice(1))]);
});

/** Of a whole chunked body. */
function unchunked(body: string): string {
  const bytes = Buffer.from(body);
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    assert.ok(length >= 0, `no chunk at ${at}`);
    if (length === 0) return Buffer.concat(pieces).toString();
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
}

test('the events that say that a turn is there go out with the first token of a fast model, and soon without one', async (context) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const journal = await Journal.open(store, newTurn('resp_a'));
  await using server = await openServer(store);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  /** What the next viewer gets, by the writes of the server. */
  const watch = async (): Promise<{ pieces: string[]; until: (text: string) => Promise<void>; close: () => void }> => {
    const count = server.responses.length;
    const socket = connect(server.port, '127.0.0.1');
    const pieces: string[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece.toString()));
    socket.write('GET /-1 HTTP/1.1\r\nhost: here\r\n\r\n');
    while (server.responses[count]?.headersSent !== true) await theirTurn();
    const until = async (text: string): Promise<void> => {
      while (!pieces.join('').includes(text)) await theirTurn();
    };
    return { pieces, until, close: () => socket.destroy() };
  };

  const early = await watch();
  context.mock.timers.tick(10);
  await early.until('response.created');
  const late = await watch();
  await journal.append(store, 1, 10);
  await late.until('output_text.delta');
  assert.match(late.pieces[0] ?? '', /^HTTP\/1.1 200[^]*response.created[^]*output_text.delta/);
  for (const viewer of [early, late]) viewer.close();
});

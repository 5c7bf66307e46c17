/** A TCP proxy between two parts of a cluster, which keeps its address while the part behind it moves, and whose link can be made bad. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkAction, LinkKind, WeatherWord } from './plan.ts';
import type { Weather } from './weather.ts';

/** A port of this machine, or the path of a socket. */
export type Address = number | string;

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

interface Direction {
  /** Every chunk comes so much later. */
  delayMs: number;
  /** Nothing is carried, until this resolves. */
  cut: Promise<void> | undefined;
}

/** What a bad link has met: without any of it the fault was none. */
export interface LinkHits {
  resets: number;
  chunks: number;
  refused: number;
}

export class Link {
  readonly name: string;
  readonly kind: LinkKind;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #directions: Record<'up' | 'down', Direction> = {
    up: { delayMs: 0, cut: undefined },
    down: { delayMs: 0, cut: undefined },
  };
  #weather: { readonly weather: Pick<Weather, 'meet'>; readonly onFelt: (word: WeatherWord) => void } | undefined;
  #target: Address | undefined;
  #refuses = false;
  #hits: LinkHits = { resets: 0, chunks: 0, refused: 0 };

  private constructor(name: string, kind: LinkKind, target: Address | undefined) {
    this.name = name;
    this.kind = kind;
    this.#target = target;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** @param target where it leads; undefined: nobody is there yet */
  static async open(name: string, kind: LinkKind, target?: Address): Promise<Link> {
    const link = new Link(name, kind, target);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  leadTo(target: Address | undefined): void {
    this.#target = target;
  }

  /** Single chunks meet it from now on, in both directions. @param onFelt one that was still waited for did */
  expose(weather: Pick<Weather, 'meet'>, onFelt: (word: WeatherWord) => void): void {
    this.#weather = { weather, onFelt };
  }

  /** No chunk that comes from now on meets any weather. */
  shelter(): void {
    this.#weather = undefined;
  }

  /**
   * Makes the link bad, for so long and until that was felt by somebody, but no longer than `patienceMs`. Resolves when it is as
   * good as before, with whether anybody felt it.
   * @param direction of a cut: from the client, or to it
   */
  async disturb(
    action: LinkAction,
    { forMs, direction, patienceMs }: { readonly forMs: number; readonly direction: 'up' | 'down'; readonly patienceMs: number },
  ): Promise<boolean> {
    this.#hits = { resets: 0, chunks: 0, refused: 0 };
    const startedAtMs = performance.now();
    const { promise: healed, resolve: heal } = Promise.withResolvers<void>();
    const { up, down } = this.#directions;
    const chosen = action === 'cut' ? [this.#directions[direction]] : [up, down];
    if (action === 'delay') for (const each of chosen) each.delayMs = Math.min(forMs, 400);
    if (action === 'cut' || action === 'partition') for (const each of chosen) each.cut = healed;
    this.#refuses = action === 'partition';
    for (;;) {
      if (action === 'reset') this.#resetAll();
      const lastedMs = performance.now() - startedAtMs;
      const isFelt = Object.values(this.#hits).some((count) => count > 0);
      const isLongEnough = action === 'reset' || lastedMs >= forMs;
      if ((isFelt && isLongEnough) || lastedMs >= patienceMs) break;
      await sleep(20);
    }
    for (const each of [up, down]) Object.assign(each, { delayMs: 0, cut: undefined });
    this.#refuses = false;
    heal();
    return Object.values(this.#hits).some((count) => count > 0);
  }

  async close(): Promise<void> {
    this.#target = undefined;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#resetAll();
    await closed;
  }

  #resetAll(): void {
    for (const pair of this.#pairs) {
      this.#hits.resets += 1;
      this.#reset(pair);
    }
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    resetSocket(pair.client);
    resetSocket(pair.upstream);
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refuses) this.#hits.refused += 1;
    if (this.#target === undefined || this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const to = typeof this.#target === 'number' ? { port: this.#target, host: '127.0.0.1', noDelay: true } : { path: this.#target };
    const upstream = connect({ ...to, allowHalfOpen: true });
    const pair: Pair = { client, upstream };
    this.#pairs.add(pair);
    this.#carry(client, upstream, this.#directions.up, pair);
    this.#carry(upstream, client, this.#directions.down, pair);
  }

  #carry(from: Socket, to: Socket, direction: Direction, pair: Pair): void {
    /** What came is carried in its order, however late. */
    let before: Promise<void> = Promise.resolve();
    const inOrder = (work: () => void, forMs = 0): void => {
      const { delayMs, cut } = direction;
      if (delayMs > 0 || cut !== undefined) this.#hits.chunks += 1;
      const late = Promise.all([cut, delayMs > 0 ? sleep(delayMs) : undefined]);
      before = before.then(async () => {
        await late;
        if (forMs > 0) await sleep(forMs);
        work();
      });
    };
    const write = (chunk: Buffer): void => {
      if (to.destroyed) return;
      if (to.write(chunk)) from.resume();
      else to.once('drain', () => from.resume());
    };
    from.on('data', (chunk: Buffer) => {
      from.pause();
      const { weather, onFelt } = this.#weather ?? {};
      const gust = weather?.meet(performance.now());
      if (gust === undefined) {
        inOrder(() => write(chunk));
        return;
      }
      const at = Math.floor(gust.part * chunk.length);
      inOrder(() => void (to.destroyed || to.write(chunk.subarray(0, at))));
      inOrder(() => {
        if (to.destroyed) return;
        onFelt?.(gust.word);
        if (gust.word === 'reset') this.#reset(pair);
        else write(chunk.subarray(at));
      }, gust.forMs);
    });
    from.on('end', () => inOrder(() => to.end()));
    from.on('error', () => {});
    from.on('close', (hadError) => {
      this.#pairs.delete(pair);
      // A reset is a reset on the other side too, and what came before it is lost as it may be.
      if (hadError) resetSocket(to);
      else inOrder(() => to.destroySoon());
    });
  }
}

/** A socket of the file system has no RST: it is closed at once. */
function resetSocket(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

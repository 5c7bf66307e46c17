/**
 * What operators see of this process, in Prometheus' terms. Numbers only: no content, no ids, no tenants, since
 * `/metrics` needs no key; every label has few values.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EndedRequest } from '../http/ended-request.ts';
import type { AttemptEnd } from '../domain/attempt.ts';
import type { JournalFollower, JournalStore, Seal } from '../store/ports/journal.ts';
import type { TurnStore } from '../store/ports/turns.ts';

/** What the gauges read, when somebody asks for the metrics. */
type GaugedStore = Pick<TurnStore, 'counts'> & Pick<JournalStore, 'readHead'>;

const secondsToFirstToken = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300];
/** Up to the longest stream: a request is measured to the end of its answer. */
const secondsOfRequests = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

export class Metrics {
  /** Those who follow a turn in this process, with its id. */
  readonly #following = new Map<JournalFollower, string>();
  readonly #registry = new Registry();
  readonly #accepted: Counter;
  readonly #turns: Counter<'status' | 'code'>;
  readonly #attempts: Counter<'outcome' | 'code'>;
  readonly #firstToken: Histogram;
  readonly #requests: Histogram<'route' | 'method' | 'status'>;
  readonly #running: Gauge;
  readonly #waiting: Gauge;
  readonly #viewers: Gauge;
  readonly #lag: Gauge;
  #store: GaugedStore | undefined;

  constructor() {
    const registers = [this.#registry];
    // Event-loop delay, garbage collection, memory, CPU.
    collectDefaultMetrics({ register: this.#registry });
    this.#accepted = new Counter({ name: 'turnkeep_turns_accepted_total', help: 'Turns this process took in.', registers });
    this.#turns = new Counter({
      name: 'turnkeep_turns_total',
      help: 'Turns this process gave their end, by status and error code.',
      labelNames: ['status', 'code'],
      registers,
    });
    this.#attempts = new Counter({
      name: 'turnkeep_attempts_total',
      help: 'Requests to the model that this process saw end, by outcome and error code.',
      labelNames: ['outcome', 'code'],
      registers,
    });
    this.#firstToken = new Histogram({
      name: 'turnkeep_first_token_seconds',
      help: 'From the acceptance of a turn to the commit of the first event that shows anything.',
      buckets: secondsToFirstToken,
      registers,
    });
    this.#requests = new Histogram({
      name: 'turnkeep_http_request_duration_seconds',
      help: 'HTTP requests, to the end of the answer; 499: the client was gone before it was answered.',
      labelNames: ['route', 'method', 'status'],
      buckets: secondsOfRequests,
      registers,
    });
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    this.#running = gauge('turnkeep_running_turns', 'Turns in the database that a worker has claimed and that are not settled.');
    this.#waiting = gauge('turnkeep_waiting_turns', 'Turns in the database that no worker has claimed yet: the queue.');
    this.#viewers = gauge('turnkeep_viewers', 'Streams of turns that this process serves.');
    this.#lag = gauge('turnkeep_journal_lag_events', 'Events that the slowest viewer of this process is behind.');
  }

  attach(store: GaugedStore): void {
    this.#store = store;
  }

  turnAccepted(): void {
    this.#accepted.inc();
  }

  turnEnded({ status, code }: Seal['settled']): void {
    this.#turns.inc({ status, code: code ?? '' });
  }

  attemptEnded({ outcome, code = '' }: { readonly outcome: AttemptEnd['outcome']; readonly code?: string }): void {
    this.#attempts.inc({ outcome, code });
  }

  firstToken(afterMs: number): void {
    this.#firstToken.observe(Math.max(0, afterMs) / 1_000);
  }

  requestEnded({ route, method, status, durationMs }: EndedRequest): void {
    this.#requests.observe({ route, method, status }, durationMs / 1_000);
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** Until `viewerLeft`. How far it has got is read when somebody asks for the metrics: a viewer's events must not pay for it. */
  viewerJoined(viewer: JournalFollower, turn: string): void {
    this.#following.set(viewer, turn);
  }

  viewerLeft(viewer: JournalFollower): void {
    this.#following.delete(viewer);
  }

  /** In Prometheus' text format. A database that cannot be asked just now gives NaN, never an error. */
  async text(): Promise<string> {
    const counts = await this.#store?.counts().catch(() => undefined);
    this.#running.set(counts?.running ?? Number.NaN);
    this.#waiting.set(counts?.waiting ?? Number.NaN);
    this.#viewers.set(this.#following.size);
    this.#lag.set(await this.#longestLag().catch(() => Number.NaN));
    return this.#registry.metrics();
  }

  async #longestLag(): Promise<number> {
    const newest = new Map<string, number>();
    let lag = 0;
    for (const [rows, turn] of this.#following) {
      const last = newest.get(turn) ?? (await this.#store?.readHead(turn))?.last ?? -1;
      newest.set(turn, last);
      lag = Math.max(lag, last - rows.taken);
    }
    return lag;
  }
}

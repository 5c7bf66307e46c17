/**
 * What operators see of this process, in Prometheus' terms. Numbers only: no content, no ids, no tenants, since
 * `/metrics` needs no key; every label has few values. `docs/metrics.md` lists them.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { WebhookReport } from '../domain/turn/webhook.ts';
import type { EndedRequest } from '../http/ended-request.ts';
import type { JournalFollower, JournalStore } from '../store/ports/journal.ts';
import type { DatabaseUpkeep } from '../store/ports/store.ts';
import type { TurnStore } from '../store/ports/turns.ts';
import { TurnMetrics } from './turn-metrics.ts';

/** What the gauges read, when somebody asks for the metrics. */
type GaugedStore = Pick<TurnStore, 'counts'> & Pick<JournalStore, 'readHead'>;

export interface MetricsOptions {
  /** Of turnkeep. */
  readonly version?: string;
  /** Models of the configuration. */
  readonly models?: readonly string[];
}

/** Up to the longest stream: a request is measured to the end of its answer. */
const secondsOfRequests = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

/** What the database was found to be is told for so long: it is read once a minute, by one process. */
const upkeepForMs = 180_000;

export class Metrics {
  readonly turns: TurnMetrics;
  /** Those who follow a turn in this process, with its id. */
  readonly #following = new Map<JournalFollower, string>();
  readonly #registry = new Registry();
  readonly #requests: Histogram<'route' | 'method' | 'status' | 'stream'>;
  readonly #webhooks: Counter<'outcome'>;
  readonly #running: Gauge;
  readonly #waiting: Gauge;
  readonly #oldestWaiting: Gauge;
  readonly #oldestLease: Gauge;
  readonly #viewers: Gauge;
  readonly #lag: Gauge;
  /** Apart from the others: where nobody has read them, there are none. */
  readonly #upkeepRegistry = new Registry();
  readonly #daysAhead: Gauge;
  readonly #defaultRows: Gauge;
  readonly #notificationQueue: Gauge;
  #upkeepUntilMs = 0;
  readonly #queueWaits: Histogram;
  readonly #queueLength: Gauge;
  #store: GaugedStore | undefined;
  #queue: { readonly waiting: number } | undefined;

  constructor({ version = 'unknown', models = [] }: MetricsOptions = {}) {
    const registers = [this.#registry];
    // Event-loop delay, garbage collection, memory, CPU.
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({ name: 'turnkeep_build_info', help: 'Always 1: what runs here.', labelNames: ['version', 'node'], registers }).set(
      { version, node: process.version },
      1,
    );
    this.turns = new TurnMetrics(this.#registry, models);
    this.#requests = new Histogram({
      name: 'turnkeep_http_request_duration_seconds',
      help: 'HTTP requests, to the end of the answer, event streams apart; 499: the client was gone before it was answered.',
      labelNames: ['route', 'method', 'status', 'stream'],
      buckets: secondsOfRequests,
      registers,
    });
    this.#webhooks = new Counter({
      name: 'turnkeep_webhook_deliveries_total',
      help: 'Requests to endpoints of webhooks that this process saw end, by outcome; what failed is made again.',
      labelNames: ['outcome'],
      registers,
    });
    this.#queueWaits = new Histogram({
      name: 'turnkeep_intake_wait_seconds',
      help: 'Requests that make turns and had to wait behind others of their tenant: until they were taken in.',
      buckets: secondsOfRequests,
      registers,
    });
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    this.#running = gauge('turnkeep_running_turns', 'Turns in the database that a worker has claimed and that are not settled.');
    this.#waiting = gauge('turnkeep_waiting_turns', 'Turns in the database that no worker has claimed yet: the queue.');
    this.#oldestWaiting = gauge(
      'turnkeep_oldest_waiting_turn_seconds',
      'How long the oldest turn of the queue that might run has waited for a worker; 0 without one.',
    );
    this.#oldestLease = gauge(
      'turnkeep_oldest_lease_seconds',
      'How long ago the lease of a running request was renewed, the one renewed the longest ago; under a second while its worker lives, 0 without one.',
    );
    this.#queueLength = gauge('turnkeep_intake_waiting_requests', 'Requests that make turns and wait to be taken in by this process.');
    this.#viewers = gauge('turnkeep_viewers', 'Streams of turns that this process serves.');
    const ofUpkeep = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [this.#upkeepRegistry] });
    this.#daysAhead = ofUpkeep('turnkeep_partition_days_ahead', 'Days from tomorrow on that have partitions in Postgres.');
    this.#defaultRows = ofUpkeep(
      'turnkeep_default_partition_rows',
      'Rows of journals that are in the partition of no day, counted to 10,000: their own was not made in time.',
    );
    this.#notificationQueue = ofUpkeep('turnkeep_notification_queue_ratio', "How full Postgres' queue of notifications is, from 0 to 1.");
    this.#lag = gauge('turnkeep_journal_lag_events', 'Events that the slowest viewer of this process is behind.');
  }

  attach(store: GaugedStore): void {
    this.#store = store;
  }

  /** Of the requests that make turns. */
  attachQueue(queue: { readonly waiting: number }): void {
    this.#queue = queue;
  }

  requestWaited(ms: number): void {
    this.#queueWaits.observe(ms / 1_000);
  }

  requestEnded({ route, method, status, isStream, durationMs }: EndedRequest): void {
    this.#requests.observe({ route, method, status, stream: String(isStream) }, durationMs / 1_000);
  }

  webhookReported({ status }: Pick<WebhookReport, 'status'>): void {
    this.#webhooks.inc({ outcome: status === 'pending' ? 'failed' : status });
  }

  /** This process is the one that has read it: told for three minutes, unless it is read again. */
  upkeepRead({ partitionDaysAhead, defaultPartitionRows, notificationQueueShare }: DatabaseUpkeep): void {
    this.#daysAhead.set(partitionDaysAhead);
    this.#defaultRows.set(defaultPartitionRows);
    this.#notificationQueue.set(notificationQueueShare);
    this.#upkeepUntilMs = performance.now() + upkeepForMs;
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
    const { running, waiting, oldestReadyAtMs, oldestRenewalAtMs } = counts ?? unknownCounts;
    this.#running.set(running);
    this.#waiting.set(waiting);
    this.#oldestWaiting.set(secondsSince(oldestReadyAtMs));
    this.#oldestLease.set(secondsSince(oldestRenewalAtMs));
    this.#queueLength.set(this.#queue?.waiting ?? 0);
    this.#viewers.set(this.#following.size);
    this.#lag.set(await this.#longestLag().catch(() => Number.NaN));
    const upkeep = performance.now() < this.#upkeepUntilMs ? await this.#upkeepRegistry.metrics() : '';
    return `${await this.#registry.metrics()}${upkeep}`;
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

const unknownCounts = { running: Number.NaN, waiting: Number.NaN, oldestReadyAtMs: Number.NaN, oldestRenewalAtMs: Number.NaN };

/** @param atMs by the clock of this machine; null: there is nothing to wait for */
function secondsSince(atMs: number | null): number {
  return atMs === null ? 0 : Math.max(0, Date.now() - atMs) / 1_000;
}

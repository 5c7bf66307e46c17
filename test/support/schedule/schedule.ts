/**
 * Agents' turns under a schedule of dice: processes that are killed, stand still and drain, providers that break at every point,
 * tools that fail, people who approve and cancel, budgets that run out. Everything but the socket, Temporal and the clock is
 * turnkeep's own.
 */
import type { Limits } from '../../../src/domain/agents/agent.ts';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';
import { defaultSettings } from '../../../src/domain/response/response-settings.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import type { Dice } from '../dice.ts';
import type { FakeClock } from '../fake-clock.ts';
import type { Happening, Played, PlayedTurn } from './happening.ts';
import { observed } from './observed-store.ts';
import { Process } from './process.ts';
import { FakeTemporal } from './temporal.ts';
import { attemptsOfTools } from './tools.ts';

/** Turns begin within this time. */
const beginWithinMs = 20_000;

export class Schedule {
  readonly dice: Dice;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly temporal: FakeTemporal;
  readonly happened: Happening[] = [];
  readonly errors: unknown[] = [];
  readonly #turns = new Map<string, PlayedTurn>();
  readonly #processes: Process[] = [];
  readonly #isOver = new AbortController();
  #viewing = 0;

  constructor(dice: Dice, clock: FakeClock, store: Store) {
    this.dice = dice;
    this.clock = clock;
    this.store = observed(store, this.happened);
    this.temporal = new FakeTemporal(this);
  }

  /** Plays so many conversations to their ends: of one turn, or of a second one that answers what the first one has asked. */
  async play(count: number): Promise<Played> {
    for (let n = 0; n < 3; n += 1) this.#startProcess();
    void this.#disturb();
    let left = count;
    for (let n = 0; n < count; n += 1) {
      void this.#talk(`t${n}`)
        .catch((error: unknown) => this.errors.push(error))
        .finally(() => (left -= 1));
    }
    await this.clock.run(() => left === 0 && this.#viewing === 0 && this.temporal.isIdle, 900_000);
    this.#isOver.abort();
    for (const each of this.#processes) each.kill();
    return { turns: this.#turns, happened: this.happened, errors: this.errors, resets: this.temporal.resets };
  }

  /** @param signal rejects with its reason */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.clock.sleep(ms);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    void this.clock.sleep(ms).then(resolve);
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  // People.

  async #talk(name: string): Promise<void> {
    await this.clock.sleep(this.dice.upTo(beginWithinMs));
    const first = await this.#submit(name, [message(name)], null);
    const { output = [] } = (await this.store.readResponse(first)) ?? {};
    const asked = output.filter(({ type }) => type === 'mcp_approval_request');
    if (asked.length === 0 || (await this.store.readTurn(first))?.status !== 'completed') return;
    if (this.dice.isBelow(0.2)) return;
    const answers = asked.map(({ id }) => ({ type: 'mcp_approval_response', approval_request_id: id, approve: this.dice.isBelow(0.7) }));
    // Two gateways are asked for the same at once: one of them takes it.
    const twins = this.dice.isBelow(0.5) ? ['x', 'y'] : ['x'];
    await Promise.all(twins.map(async (twin) => this.#submit(`${name}${twin}`, [...answers, message(`${name}${twin}`)], first)));
  }

  async #submit(name: string, input: readonly object[], previous: string | null): Promise<string> {
    const limits = this.#limits();
    const agent = {
      name: 'dicer',
      provider: 'default',
      model: 'dice',
      tools: Object.keys(attemptsOfTools),
      settings: {},
      limits: limits ?? {},
      compaction: 'auto',
    } as const;
    for (;;) {
      const process = await this.living();
      const submitted = process.turnkeep.submit({
        tenant: 'default',
        settings: {
          ...defaultSettings('dicer'),
          agent,
          tools: [{ type: 'function', name: 'yours', parameters: { type: 'object' }, strict: false, description: null }],
          ...(limits === undefined ? {} : { budget: { turn: limits, session: {} } }),
        },
        input: input as never,
        session: null,
        previous,
        // A client that got no answer asks again, and gets the same turn.
        idempotencyKey: name,
        isResend: false,
        receivedAtMs: Date.now(),
      });
      // 503, where the database did not take it in time.
      const result = await Promise.race([submitted.catch(() => 'busy' as const), process.died.promise]);
      if (typeof result === 'string') continue;
      if (result.type === 'approval_answered') return '';
      if (result.type !== 'accepted') throw new Error(`${name}: ${JSON.stringify(result)}`);
      const { id } = result.turn;
      const turn: PlayedTurn = { id, limits, isCancelAsked: false, isCancelAccepted: false, views: [] };
      this.#turns.set(name, turn);
      // Whoever took it in may have died before it told Temporal of it: then the sweep of another process does.
      void this.clock.sleep(1_500).then(() => this.temporal.start(id));
      if (this.dice.isBelow(0.25)) void this.#cancelLater(turn);
      if (this.dice.isBelow(0.1)) void this.#viewLater(turn);
      await this.store.untilSealed(id, this.#isOver.signal);
      return id;
    }
  }

  #limits(): Limits | undefined {
    const { dice } = this;
    if (!dice.isBelow(0.3)) return undefined;
    return dice.oneOf<Limits>([
      { steps: 1 + dice.upTo(1) },
      { toolCalls: 1 + dice.upTo(2) },
      { outputTokens: 4 + dice.upTo(10) },
      { steps: 2, toolCalls: 2, outputTokens: 12 },
    ]);
  }

  async #cancelLater(turn: PlayedTurn): Promise<void> {
    await this.clock.sleep(this.dice.upTo(12_000));
    turn.isCancelAsked = true;
    for (;;) {
      const process = await this.living();
      const result = await Promise.race([process.turnkeep.cancel('default', turn.id).catch(() => 'busy' as const), process.died.promise]);
      if (typeof result === 'string') continue;
      if (result.type === 'cancelled') turn.isCancelAccepted = true;
      return;
    }
  }

  /** Somebody comes while it runs, or behind its end, and follows it from its beginning. */
  async #viewLater(turn: PlayedTurn): Promise<void> {
    this.#viewing += 1;
    await this.clock.sleep(this.dice.upTo(4_000));
    const seen: JournalRow[] = [];
    turn.views.push(seen);
    try {
      for await (const rows of this.store.follow(turn.id, -1, this.#isOver.signal)) {
        seen.push(...rows);
        await this.clock.sleep(this.dice.upTo(200));
      }
    } catch (error) {
      this.errors.push(error);
    } finally {
      this.#viewing -= 1;
    }
  }

  // Processes.

  /** One that takes requests, once there is one. */
  async living(): Promise<Process> {
    for (;;) {
      const living = this.#processes.filter(({ isDead, isStopped, attempts }) => !isDead && !isStopped && !attempts.isDraining);
      if (living.length > 0) return this.dice.oneOf(living);
      await this.clock.sleep(50);
    }
  }

  /** Kills a process, or has it stand still. */
  strike(process: Process): void {
    if (process.isDead || process.isStopped) return;
    if (this.dice.isBelow(0.5)) {
      process.stop();
      void this.clock.sleep(this.dice.upTo(8_000)).then(() => process.goOn());
      return;
    }
    this.#kill(process);
    void this.clock.sleep(this.dice.upTo(1_000)).then(() => this.#startProcess());
  }

  /** Rolling restarts, and deaths while nothing is written. */
  async #disturb(): Promise<void> {
    while (!this.#isOver.signal.aborted) {
      await this.clock.sleep(this.dice.upTo(4_000));
      const process = await this.living();
      if (this.dice.isBelow(0.5)) {
        this.strike(process);
        continue;
      }
      await process.attempts.drain(this.dice.upTo(2_000));
      // It may have been struck meanwhile: then another one is on its way.
      if (process.isDead) continue;
      this.#kill(process);
      this.#startProcess();
    }
  }

  #startProcess(): void {
    this.#processes.push(new Process(this));
  }

  #kill(process: Process): void {
    process.kill();
    this.#processes.splice(this.#processes.indexOf(process), 1);
  }
}

function message(text: string): object {
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

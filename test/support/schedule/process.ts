/** A worker and gateway that may die, stand still, and drain. All of it is turnkeep's own but for the provider and the tools. */
import { RunningAttempts } from '../../../src/activities/attempt/running-attempts.ts';
import { createActivities } from '../../../src/activities/create-activities.ts';
import { Dispatcher } from '../../../src/client/dispatcher.ts';
import { startTurnWatcher } from '../../../src/client/turn-watcher.ts';
import { Turnkeep } from '../../../src/client/turnkeep.ts';
import type { TurnActivities } from '../../../src/contract/activities.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { createToolBox } from '../../../src/tools/tool-box.ts';
import { heartbeatTimeoutMs, limits } from './limits.ts';
import { providerOf } from './model.ts';
import type { Schedule } from './schedule.ts';
import { toolsOf } from './tools.ts';

/** Of a call of the store. */
const slowChance = 0.2;
const longestCallMs = 150;
/** That a process dies or stands still just before such a call, or just behind it. */
const strikeChance = 0.003;

const never = new Promise<never>(() => undefined);

export class Process {
  isDead = false;
  readonly died = Promise.withResolvers<'died'>();
  readonly attempts: RunningAttempts;
  readonly activities: TurnActivities;
  readonly turnkeep: Turnkeep;
  readonly #schedule: Schedule;
  readonly #watcher: { stop(): void };
  #stopped: PromiseWithResolvers<void> | undefined;
  #silent = Promise.withResolvers<'silent'>();
  #isSilent = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    const { dice, errors } = schedule;
    const store = this.#mortal(schedule.store, async () => {
      // A busy disk: what others do in between is what schedules are about.
      if (dice.isBelow(slowChance)) await schedule.clock.sleep(dice.upTo(longestCallMs));
      if (dice.isBelow(strikeChance)) schedule.strike(this);
      await this.alive();
    });
    const log = { info: () => undefined, warn: () => undefined };
    const toolBox = createToolBox({ tools: toolsOf(schedule, this), mcpServers: [], log });
    const provider = providerOf(schedule, this);
    const onReady = (turn: string): void => void dispatcher.runReady(turn);
    const onError = (error: unknown): void => {
      // Of a process that stands still the patience of `settleTurn` is over before its call is.
      const isOfStop = error instanceof Error && error.name === 'TimeoutError';
      if (!this.isDead && !isOfStop) errors.push(error);
    };
    const agents = { providerOf: () => provider, toolBox, log: () => undefined };
    this.attempts = new RunningAttempts({ store, provider, agents, limits, onReady, onError });
    this.activities = createActivities({ store, provider, attempts: this.attempts, onReady, onError });
    const workflows = schedule.temporal.clientOf(this);
    const headStart = dice.isBelow(0.5) ? { headStart: this.attempts } : {};
    const dispatcher = new Dispatcher({ workflows, taskQueue: 'dice', store, limits, isEager: false, ...headStart });
    this.turnkeep = new Turnkeep({ store, dispatcher });
    this.#watcher = startTurnWatcher({ store, attempts: this.attempts, onReady, onError });
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Resolves once Temporal has had no heartbeat for too long. */
  get silent(): Promise<'silent'> {
    return this.#silent.promise;
  }

  /** Whatever a process does beside its store waits here while it stands still, and for ever once it is dead. */
  async alive(): Promise<void> {
    if (this.isDead) await never;
    await this.#stopped?.promise;
    if (this.isDead) await never;
  }

  kill(): void {
    this.isDead = true;
    this.#watcher.stop();
    this.died.resolve('died');
    void this.#schedule.clock.sleep(heartbeatTimeoutMs).then(() => this.#silent.resolve('silent'));
  }

  stop(): void {
    if (this.isStopped) return;
    const stopped = Promise.withResolvers<void>();
    this.#stopped = stopped;
    void this.#schedule.clock.sleep(heartbeatTimeoutMs).then(() => {
      if (this.#stopped !== stopped) return;
      this.#isSilent = true;
      this.#silent.resolve('silent');
    });
  }

  goOn(): void {
    this.#stopped?.resolve();
    this.#stopped = undefined;
    if (this.isDead || !this.#isSilent) return;
    this.#isSilent = false;
    this.#silent = Promise.withResolvers();
  }

  #mortal(store: Store, pause: () => Promise<void>): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        // These hand out streams of rows, which nobody reads here for longer than the process lives.
        if (typeof member !== 'function' || name === 'follow') return member;
        return async (...args: unknown[]): Promise<unknown> => {
          await pause();
          const result: unknown = await (member as (...of: unknown[]) => unknown)(...args);
          await pause();
          return result;
        };
      },
    });
  }
}

/**
 * Agents' turns under a schedule of dice: processes that are killed, stand still and drain, providers that break at every point,
 * tools that fail, people who approve and cancel. Everything but the socket, Temporal and the clock is turnkeep's own.
 */
import assert from 'node:assert/strict';
import { ActivityCancellationDetails, ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { createActivities } from '../../src/activities/create-activities.ts';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { startTurnWatcher } from '../../src/client/turn-watcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import type { StreamFailureDetails, TurnActivities } from '../../src/contract/activities.ts';
import type { AgentTurnInput } from '../../src/contract/workflows.ts';
import { failureOf, isFailureCode } from '../../src/domain/failure.ts';
import type { Item } from '../../src/domain/item.ts';
import type { ModelDelta, ModelEvent, ModelRequest } from '../../src/domain/model.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { unknownUsage } from '../../src/domain/response/response.ts';
import { delayBeforeMs } from '../../src/domain/turn/retry-policy.ts';
import {
  decide,
  evolve,
  type RequestedOutcome,
  type StepResult,
  turnAt,
  type TurnCommand,
  type TurnResult,
  type TurnStatus,
} from '../../src/domain/turn/turn-state.ts';
import { type Provider, type ProviderCallbacks, ProviderError } from '../../src/providers/provider.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { createToolBox } from '../../src/tools/tool-box.ts';
import type { ToolContext, WorkerTool } from '../../src/tools/tool.ts';
import type { Dice } from './dice.ts';
import type { FakeClock } from './fake-clock.ts';

const heartbeatTimeoutMs = 2_000;
const partialGraceMs = 1_500;
/** Of a call of the store. */
const slowChance = 0.2;
const longestCallMs = 150;
/** That a process dies or stands still just before such a call, or just behind it. */
const strikeChance = 0.003;
const limits = { heartbeatTimeoutMs, turnTimeoutMs: 600_000, maxOutputBytes: 1_000_000 };

/** Something that happened, in the order in which it did. */
export type Happening =
  | { readonly type: 'sent'; readonly turn: string; readonly step: number; readonly items: readonly Item[] }
  /** It is committed that the step has started; `turn` is the database's own id. */
  | { readonly type: 'started'; readonly id: string; readonly step: number }
  | { readonly type: 'begun' | 'ended'; readonly call: string; readonly key: string; readonly tool: string };

export interface Played {
  /** By name: what the user said. */
  readonly turns: ReadonlyMap<string, string>;
  readonly happened: readonly Happening[];
  readonly cancelled: ReadonlySet<string>;
  readonly errors: readonly unknown[];
}

/** Calls are `turn-step-number`. */
function stepOf(turn: string, items: readonly Item[]): number {
  const steps = items.flatMap((item) =>
    item.type === 'function_call' && item.call_id.startsWith(`${turn}-`) ? [Number(item.call_id.split('-').at(-2))] : [],
  );
  return Math.max(0, ...steps) + 1;
}

function nameOf(items: readonly Item[]): string {
  const said = items.findLast((item) => item.type === 'message' && item.role === 'user');
  return said?.type === 'message' ? said.content.map((part) => ('text' in part ? part.text : '')).join('') : '';
}

const never = new Promise<never>(() => undefined);

/** A worker and gateway that may die, or stand still. */
class Process {
  isDead = false;
  readonly died = Promise.withResolvers<'died'>();
  readonly attempts: RunningAttempts;
  readonly activities: TurnActivities;
  readonly turnkeep: Turnkeep;
  readonly #watcher: { stop(): void };
  #stopped: PromiseWithResolvers<void> | undefined;

  constructor(schedule: AgentSchedule, store: Store) {
    const own = this.#mortal(store, async () => {
      // A busy disk: what others do in between is what schedules are about.
      if (schedule.dice.isBelow(slowChance)) await schedule.sleep(schedule.dice.upTo(longestCallMs));
      if (schedule.dice.isBelow(strikeChance)) schedule.strike(this);
      await this.alive();
    });
    const toolBox = createToolBox({ tools: schedule.toolsOf(this), mcpServers: [], log: { info: () => undefined, warn: () => undefined } });
    const provider = schedule.providerOf(this);
    const onReady = (turn: string): void => void dispatcher.runReady(turn);
    const onError = (error: unknown): void => {
      // Of a process that stands still the patience of `settleTurn` is over before its call is.
      const isOfStop = error instanceof Error && error.name === 'TimeoutError';
      if (!this.isDead && !isOfStop) schedule.errors.push(error);
    };
    const agents = { providerOf: () => provider, toolBox, log: () => undefined };
    this.attempts = new RunningAttempts({ store: own, provider, agents, limits, onReady, onError });
    this.activities = createActivities({ store: own, provider, attempts: this.attempts, onReady, onError });
    const workflows = schedule.workflowsOf(this);
    const dispatcher = new Dispatcher({
      workflows,
      taskQueue: 'dice',
      store: own,
      limits,
      isEager: false,
      ...(schedule.dice.isBelow(0.5) ? { headStart: this.attempts } : {}),
    });
    this.turnkeep = new Turnkeep({ store: own, dispatcher });
    this.#watcher = startTurnWatcher({ store: own, attempts: this.attempts, onReady, onError });
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined;
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
  }

  stop(): void {
    this.#stopped ??= Promise.withResolvers();
  }

  goOn(): void {
    this.#stopped?.resolve();
    this.#stopped = undefined;
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

export class AgentSchedule {
  readonly dice: Dice;
  readonly errors: unknown[] = [];
  readonly #clock: FakeClock;
  readonly #store: Store;
  readonly #turns = new Map<string, string>();
  readonly #happened: Happening[] = [];
  readonly #cancelled = new Set<string>();
  readonly #processes: Process[] = [];
  readonly #isOver = new AbortController();
  /** By the id of the workflow: what cancels its run. */
  readonly #workflows = new Map<string, { readonly cancelled: PromiseWithResolvers<'cancelled'>; isDone: boolean }>();

  constructor(dice: Dice, clock: FakeClock, store: Store) {
    this.dice = dice;
    this.#clock = clock;
    this.#store = this.#observed(store);
  }

  /** Plays so many turns to their ends. */
  async play(count: number): Promise<Played> {
    for (let n = 0; n < 3; n += 1) this.#startProcess();
    void this.#disturb();
    let left = count;
    for (let n = 0; n < count; n += 1) {
      void this.#talk(`t${n}`).then(
        () => (left -= 1),
        (error: unknown) => {
          this.errors.push(error);
          left -= 1;
        },
      );
    }
    await this.#clock.run(() => left === 0 && [...this.#workflows.values()].every(({ isDone }) => isDone), 900_000);
    this.#isOver.abort();
    for (const each of this.#processes) each.kill();
    return { turns: this.#turns, happened: this.#happened, cancelled: this.#cancelled, errors: this.errors };
  }

  // What the processes are given.

  async sleep(ms: number): Promise<void> {
    await this.#clock.sleep(ms);
  }

  toolsOf(process: Process): readonly WorkerTool[] {
    const tool = (name: string, attempts: number, needsApproval = false): WorkerTool => ({
      name,
      serverLabel: 'turnkeep',
      description: name,
      inputSchema: { type: 'object' },
      attempts,
      timeoutMs: 20_000,
      needsApproval: () => needsApproval,
      check: () => undefined,
      run: async (args, context) => ({
        type: 'output',
        text: await this.#runTool(process, name, JSON.stringify(args['call']).slice(1, -1), context),
      }),
    });
    return [tool('once', 1), tool('again', 3), tool('mail', 1, true)];
  }

  providerOf(process: Process): Provider {
    return {
      api: 'chat',
      stream: (request, signal, callbacks) => this.#answer(process, request, signal, callbacks ?? {}),
      countTokens: async () => undefined,
      listModels: async () => [],
      close: async () => undefined,
    };
  }

  /** What a dispatcher needs of Temporal's client. */
  workflowsOf(process: Process): ConstructorParameters<typeof Dispatcher>[0]['workflows'] {
    const workflows = {
      withDeadline: async (_: number, call: () => unknown) => call(),
      start: async (
        _: string,
        { workflowId, args: [input] }: { readonly workflowId: string; readonly args: readonly [AgentTurnInput] },
      ) => {
        await process.alive();
        this.#startWorkflow(workflowId, input);
        return { firstExecutionRunId: `run of ${workflowId}` };
      },
      getHandle: (id: string) => ({ signal: async () => this.#workflows.get(id)?.cancelled.resolve('cancelled') }),
    };
    return workflows as unknown as ConstructorParameters<typeof Dispatcher>[0]['workflows'];
  }

  // People.

  async #talk(name: string): Promise<void> {
    await this.#clock.sleep(this.dice.upTo(20_000));
    const first = await this.#submit(name, [message(name)], null);
    const { output = [] } = (await this.#store.readResponse(first)) ?? {};
    const asked = output.filter(({ type }) => type === 'mcp_approval_request');
    if (asked.length === 0 || (await this.#store.readTurn(first))?.status !== 'completed') return;
    if (this.dice.isBelow(0.2)) return;
    const answers = asked.map(({ id }) => ({ type: 'mcp_approval_response', approval_request_id: id, approve: this.dice.isBelow(0.7) }));
    // Two gateways are asked for the same at once: one of them takes it.
    const twins = this.dice.isBelow(0.5) ? ['x', 'y'] : ['x'];
    await Promise.all(twins.map(async (twin) => this.#submit(`${name}${twin}`, [...answers, message(`${name}${twin}`)], first)));
  }

  async #submit(name: string, input: readonly object[], previous: string | null): Promise<string> {
    const agent = {
      name: 'dicer',
      provider: 'default',
      model: 'dice',
      tools: ['once', 'again', 'mail'],
      settings: {},
      limits: {},
      compaction: 'auto',
    } as const;
    for (;;) {
      const process = await this.#living();
      const submitted = process.turnkeep.submit({
        tenant: 'default',
        settings: {
          ...defaultSettings('dicer'),
          agent,
          tools: [{ type: 'function', name: 'yours', parameters: { type: 'object' }, strict: false, description: null }],
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
      this.#turns.set(name, id);
      // Whoever took it in may have died before it told Temporal of it: then the sweep of another process does.
      void this.#clock.sleep(1_500).then(() => this.#startWorkflow(`turn/${id}`, this.#inputOf(id)));
      if (this.dice.isBelow(0.25)) void this.#cancelLater(name, id);
      await this.#store.untilSealed(id, this.#isOver.signal);
      return id;
    }
  }

  async #cancelLater(name: string, id: string): Promise<void> {
    await this.#clock.sleep(this.dice.upTo(12_000));
    for (;;) {
      const process = await this.#living();
      const result = await Promise.race([process.turnkeep.cancel('default', id).catch(() => 'busy' as const), process.died.promise]);
      if (typeof result === 'string') continue;
      if (result.type === 'cancelled') this.#cancelled.add(name);
      return;
    }
  }

  // Processes.

  #startProcess(): void {
    this.#processes.push(new Process(this, this.#store));
  }

  async #living(): Promise<Process> {
    for (;;) {
      const living = this.#processes.filter(({ isDead, isStopped, attempts }) => !isDead && !isStopped && !attempts.isDraining);
      if (living.length > 0) return this.dice.oneOf(living);
      await this.#clock.sleep(50);
    }
  }

  /** Kills a process, or has it stand still. */
  strike(process: Process): void {
    if (process.isDead || process.isStopped) return;
    if (this.dice.isBelow(0.5)) {
      process.stop();
      void this.#clock.sleep(this.dice.upTo(8_000)).then(() => process.goOn());
      return;
    }
    process.kill();
    void this.#clock.sleep(this.dice.upTo(1_000)).then(() => this.#startProcess());
  }

  /** Rolling restarts, and deaths while nothing is written. */
  async #disturb(): Promise<void> {
    while (!this.#isOver.signal.aborted) {
      await this.#clock.sleep(this.dice.upTo(4_000));
      const process = await this.#living();
      if (this.dice.isBelow(0.5)) {
        this.strike(process);
        continue;
      }
      await process.attempts.drain(this.dice.upTo(2_000));
      process.kill();
      this.#startProcess();
    }
  }

  #observed(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        if (name !== 'append') return Reflect.get(target, name) as unknown;
        return async (append: Parameters<Store['append']>[0]) => {
          const isAccepted = await target.append(append);
          if (isAccepted && append.starts !== undefined)
            this.#happened.push({ type: 'started', id: append.turn, step: append.starts.step });
          return isAccepted;
        };
      },
    });
  }

  // The model, and the tools.

  async *#answer(process: Process, request: ModelRequest, signal: AbortSignal, callbacks: ProviderCallbacks): AsyncGenerator<ModelEvent> {
    const { dice } = this;
    const wait = async (ms: number): Promise<void> => {
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => aborted.reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      aborted.promise.catch(() => undefined);
      await Promise.race([this.#clock.sleep(ms), aborted.promise]);
      await process.alive();
      signal.throwIfAborted();
    };
    await callbacks.beforeSend?.();
    await wait(dice.upTo(100));
    if (callbacks.maySend?.() === false) {
      signal.throwIfAborted();
      throw new Error('kept back');
    }
    const turn = nameOf(request.items);
    const step = stepOf(turn, request.items);
    this.#happened.push({ type: 'sent', turn, step, items: request.items });
    await wait(dice.upTo(800));
    if (dice.isBelow(0.12)) throw new ProviderError({ ...failureOf('transport_failed'), detail: 'ECONNRESET' });
    if (dice.isBelow(0.06)) throw new ProviderError({ ...failureOf('provider_busy'), busy: { retryAfterMs: dice.upTo(3_000) } });
    const deltas = this.#deltasOf(turn, step);
    for (const [index, delta] of deltas.entries()) {
      yield { type: 'delta', delta };
      await wait(dice.upTo(300));
      if (index === 0 && dice.isBelow(0.04)) throw new ProviderError(failureOf('stream_interrupted'));
    }
    yield { type: 'finish', finish: { status: 'completed' } };
    const usage = { ...unknownUsage, input_tokens: 10, output_tokens: 5, total_tokens: 15 };
    callbacks.onUsage?.(usage);
    yield { type: 'usage', usage };
  }

  #deltasOf(turn: string, step: number): readonly ModelDelta[] {
    const { dice } = this;
    const says: ModelDelta = { type: 'text', text: `step ${step} of ${turn}` };
    const calls = (...names: readonly string[]): readonly ModelDelta[] =>
      names.flatMap((name, index) => {
        const callId = `${turn}-${step}-${index}`;
        const call = { type: 'tool_call', item: String(index), callId, name } as const;
        return [
          { ...call, text: '{"call":' },
          { ...call, text: `"${callId}"}` },
        ];
      });
    if (step >= 4 || dice.isBelow(0.25)) return [says, { ...says, text: '.' }];
    if (dice.isBelow(0.15)) return [says, ...calls('mail', 'once')];
    if (dice.isBelow(0.1)) return calls('yours', 'again');
    return [
      ...(dice.isBelow(0.5) ? [says] : []),
      ...calls(...Array.from({ length: 1 + dice.upTo(2) }, () => dice.oneOf(['once', 'again', 'none']))),
    ];
  }

  async #runTool(process: Process, tool: string, call: string, { signal, idempotencyKey: key }: ToolContext): Promise<string> {
    await process.alive();
    this.#happened.push({ type: 'begun', call, key, tool });
    const ignoresSignal = this.dice.isBelow(0.3);
    const endsAtMs = this.#clock.nowMs + this.dice.upTo(3_000);
    while (this.#clock.nowMs < endsAtMs) {
      await this.#clock.sleep(100);
      await process.alive();
      if (!ignoresSignal) signal.throwIfAborted();
    }
    if (this.dice.isBelow(0.1)) throw new Error(`${call} failed`);
    this.#happened.push({ type: 'ended', call, key, tool });
    return `${call} is done`;
  }

  // Temporal.

  #inputOf(turn: string): AgentTurnInput {
    return { turn, database: this.#store.databaseId, heartbeatTimeoutMs, turnTimeoutMs: limits.turnTimeoutMs };
  }

  #startWorkflow(id: string, input: AgentTurnInput): void {
    if (this.#workflows.has(id)) return;
    const workflow = { cancelled: Promise.withResolvers<'cancelled'>(), isDone: false };
    this.#workflows.set(id, workflow);
    void this.#runWorkflow(input, workflow.cancelled.promise)
      .catch((error: unknown) => this.errors.push(error))
      .finally(() => {
        workflow.isDone = true;
      });
  }

  async #runWorkflow({ turn, database }: AgentTurnInput, cancelled: Promise<'cancelled'>): Promise<void> {
    let state = turnAt(1);
    for (;;) {
      const command = decide(state);
      if (command.type === 'close') return;
      if (command.type === 'wait') {
        const end = await Promise.race([this.#clock.sleep(command.waitMs), cancelled]);
        state = evolve(state, end === 'cancelled' ? { type: 'cancelled' } : { type: 'waited' });
      } else if (command.type === 'settleTurn') {
        state = evolve(state, { type: 'settled', settled: await this.#settle(turn, database, command.requested) });
      } else {
        state = evolve(state, await this.#streamModel({ turn, database, step: command.step }, command, cancelled));
      }
    }
  }

  async #settle(turn: string, database: string, requested: RequestedOutcome): Promise<TurnStatus> {
    for (;;) {
      const process = await this.#living();
      const settling: Promise<TurnStatus> = new MockActivityEnvironment().run(process.activities.settleTurn, { database, turn, requested });
      const end = await Promise.race([
        settling.catch(() => 'failed' as const),
        process.died.promise,
        this.#clock.sleep(5_000).then(() => 'late' as const),
      ]);
      if (typeof end === 'object') return end;
      await this.#clock.sleep(200);
    }
  }

  /** Runs of the activity, as its retry policy has them. */
  async #streamModel(
    input: { readonly turn: string; readonly database: string; readonly step: number },
    { requestsLeft, requestsMade }: Extract<TurnCommand, { type: 'streamModel' }>,
    cancelled: Promise<'cancelled'>,
  ): Promise<TurnResult> {
    for (let attempt = 1; ; attempt += 1) {
      const process = await this.#living();
      const environment = new MockActivityEnvironment({ heartbeatTimeoutMs });
      const running: Promise<StepResult> = environment.run(process.activities.streamModel, input);
      const run = running.then(
        (step) => ({ type: 'stepEnded', step }) as const,
        (error: unknown) => ({ type: 'failed', error }) as const,
      );
      const grace = cancelled.then(async () => {
        environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
        await this.#clock.sleep(partialGraceMs);
        return 'cancelled' as const;
      });
      // A worker that stands still, or is dead, is noticed by the heartbeats that it does not send.
      const silent = this.#silence(process);
      const end = await Promise.race([run, grace, silent]);
      if (end === 'cancelled') return { type: 'cancelled' };
      if (end === 'silent') {
        environment.cancel('TIMED_OUT', new ActivityCancellationDetails({ timedOut: true }));
        if (attempt >= requestsLeft) return { type: 'lost' };
        await this.#clock.sleep(delayBeforeMs(requestsMade + 2));
        continue;
      }
      if (end.type === 'stepEnded') return end;
      const { error } = end;
      if (!(error instanceof ApplicationFailure) || !isFailureCode(error.type)) throw error;
      const details = error.details?.[0] as StreamFailureDetails | undefined;
      const failure = failureOf(error.type);
      if (error.nonRetryable === true) {
        if (failure.code !== 'provider_busy' || details === undefined) return { type: 'failed', failure };
        const hint = details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs };
        return { type: 'busy', failure, hint, requestsMade: details.requestsMade };
      }
      if (attempt >= requestsLeft) {
        if (details === undefined) return { type: 'lost' };
        return { type: 'busy', failure: failureOf('transport_failed'), hint: {}, requestsMade: details.requestsMade };
      }
      const retryDelay = typeof error.nextRetryDelay === 'number' ? error.nextRetryDelay : delayBeforeMs(requestsMade + 1 + attempt);
      if ((await Promise.race([this.#clock.sleep(retryDelay), cancelled])) === 'cancelled') return { type: 'cancelled' };
    }
  }

  async #silence(process: Process): Promise<'silent'> {
    for (let silentMs = 0; silentMs < heartbeatTimeoutMs;) {
      await this.#clock.sleep(100);
      silentMs = process.isDead || process.isStopped ? silentMs + 100 : 0;
    }
    return 'silent';
  }
}

function message(text: string): object {
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

/** T1 to T8, of every turn. */
export async function checkPlayed(store: Store, { turns, happened, cancelled, errors }: Played): Promise<ReadonlyMap<string, number>> {
  assert.deepEqual(errors, [], 'no error of our own');
  const ends = new Map<string, number>();
  for (const [name, id] of turns) {
    const turn = await store.readTurn(id);
    assert.ok(turn?.settledAtMs != null, `${name} has its end`);
    const { status, errorCode } = turn;
    ends.set(errorCode ?? status, (ends.get(errorCode ?? status) ?? 0) + 1);
    assert.notEqual(errorCode, 'internal_error', name);
    if (cancelled.has(name)) assert.equal(status, 'cancelled', `T5 · ${name}: an accepted cancel wins`);

    const rows = await store.readJournal(id);
    assert.ok(
      rows.every(({ seq }, index) => seq === index),
      `T7 · ${name}: no gap`,
    );
    const finals = rows.filter(({ type }) => /^response\.(completed|incomplete|failed)$/.test(type));
    assert.deepEqual([finals.length, finals[0]?.seq], [1, rows.length - 1], `T6 · ${name}: one end`);
    const response = await store.readResponse(id);
    for (const item of response?.output ?? []) assert.notEqual(item.status, 'in_progress', `${name}: nothing stays open`);

    const attempts = await store.readAttempts(id);
    const own = happened.filter((each) => (each.type === 'sent' && each.turn === name) || (each.type === 'started' && each.id === id));
    const begun = new Set<number>();
    const sent = new Map<number, number>();
    for (const each of own) {
      if (each.type === 'started') begun.add(each.step);
      if (each.type !== 'sent') continue;
      assert.ok(!begun.has(each.step), `T2 · ${name}: step ${each.step} is asked again though it has started`);
      assert.ok(![...sent.keys()].some((step) => step > each.step), `T2 · ${name}: step ${each.step} is asked again behind a later one`);
      sent.set(each.step, (sent.get(each.step) ?? 0) + 1);
      assert.equal(each.items.filter((item) => JSON.stringify(item).includes(`"text":"${name}"`)).length, 1, `T1 · ${name}`);
    }
    const calls = await store.readToolCalls(id);
    for (const [step, count] of sent) {
      const booked = attempts.filter((attempt) => attempt.step === step);
      assert.ok(count <= 3 && count <= booked.length, `T3 · ${name}: ${count} requests of step ${step}, ${booked.length} booked`);
    }
    if (status === 'completed') {
      const known = attempts.filter(({ usage }) => usage !== undefined).length;
      assert.equal(turn.usage?.output_tokens, known * 5, `${name}: the usage is the sum of its steps`);
      for (const step of new Set(attempts.map((attempt) => attempt.step))) {
        assert.equal(attempts.findLast((attempt) => attempt.step === step)?.outcome, 'completed', `T8 · ${name}: step ${step}`);
      }
    }
    for (const call of calls) {
      const { call_id: callId } = call.origin;
      const title = `${name}: ${callId}`;
      const runs = happened.filter((each) => each.type === 'begun' && each.call === callId);
      assert.ok(
        runs.length <= (call.name === 'again' ? 3 : 1) && runs.length <= call.runs,
        `${title}: ${runs.length} of ${call.runs} runs`,
      );
      assert.ok(call.outcome !== undefined, `${title} has its end`);
      if (call.outcome === 'completed') {
        assert.ok(
          happened.some((each) => each.type === 'ended' && each.call === callId),
          `T8 · ${title} has ended`,
        );
      }
      const last = own.findLast((each) => each.type === 'sent' && each.step >= call.step);
      if (last?.type !== 'sent') continue;
      const told = last.items.filter((item) => item.type === 'function_call_output' && item.call_id === callId);
      assert.equal(told.length, 1, `${title}: one output`);
      const [output] = told;
      const text = output?.type === 'function_call_output' && typeof output.output === 'string' ? output.output : '';
      if (call.outcome === 'completed') assert.equal(text, `${callId} is done`, title);
      else if (call.outcome === 'unknown') assert.match(text, /outcome .*unknown/, title);
      else assert.match(text, /^Error: (?!This call was stopped)/, `${title}: every call has its end before the model is told`);
    }
  }
  return ends;
}

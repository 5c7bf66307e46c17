/** Turns in one database, run one after the other by one process, without Temporal: quick enough for hundreds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agents } from '../../src/activities/attempt/agents.ts';
import { type RunningAttempt, RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { journalRowOf } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import type { RecordMode } from '../../src/domain/turn/recording.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import type { Provider } from '../../src/providers/provider.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { ModelServer, Script } from '../../src/testing/model-server/index.ts';
import type { ToolBox } from '../../src/tools/tool.ts';
import { newTurn } from '../store/contract.ts';
import { startPatientModel } from './patient-model.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 60_000,
  turnTimeoutMs: 60_000,
  maxOutputBytes: 1_000_000,
};

/** Whoever claims next need not wait for the one before. */
const lease = { holder: 'here', lengthMs: -1 };

export interface Asked {
  readonly id: string;
  readonly settings?: Partial<ResponseSettings>;
  readonly api?: 'chat' | 'responses';
  readonly apiKey?: string;
  readonly record?: RecordMode;
  readonly toolBox?: ToolBox;
}

export class TurnRunner implements AsyncDisposable {
  readonly store: Store;
  readonly model: ModelServer;
  readonly #folder: string;
  readonly #providers: Provider[] = [];

  private constructor(model: ModelServer) {
    this.model = model;
    this.#folder = mkdtempSync(join(tmpdir(), 'turnkeep-turns-'));
    this.store = openSqliteStore(join(this.#folder, 'turnkeep.db'));
  }

  static async open(): Promise<TurnRunner> {
    return new TurnRunner(await startPatientModel());
  }

  /** Runs a turn to its end, by as many claims as that takes. */
  async run(asked: Asked, ...scripts: readonly Script[]): Promise<void> {
    const turn = await this.begin(asked);
    this.model.enqueue(...scripts);
    for (let running = await turn.next(); running !== undefined; running = await turn.next()) await running.result;
  }

  /** Takes a turn in. */
  async begin({ id, settings = {}, api = 'chat', apiKey, record = 'wire', toolBox }: Asked): Promise<{
    /** Claims what is to be done next; undefined: the turn has its end, or nobody may go on with it. */
    readonly next: () => Promise<RunningAttempt | undefined>;
  }> {
    const provider = createProvider({ baseUrl: this.model.baseUrl, api, apiKey, limits });
    this.#providers.push(provider);
    // No wait behind a failure: who comes next comes at once.
    const store: Store = {
      ...this.store,
      endAttempt: (key, epoch, end) => this.store.endAttempt(key, epoch, end.waitMs === undefined ? end : { ...end, waitMs: 0 }),
    };
    const agents: Agents | undefined = toolBox && { providerOf: () => provider, toolBox, log: () => undefined };
    const attempts = new RunningAttempts({
      store,
      provider,
      limits,
      record,
      ...(agents === undefined ? {} : { agents }),
      onReady: () => undefined,
      onError: () => undefined,
    });
    const whole = { ...defaultSettings('scripted'), ...settings };
    const response = newResponse({ id, createdAtMs: 1_000, settings: whole, session: null, previous: null });
    await store.insertTurn(newTurn(id, { settings: whole, events: ResponseStream.open(response).map(journalRowOf) }));
    let step = 1;
    const next = async (): Promise<RunningAttempt | undefined> => {
      const claim = await store.claim({ turn: id, step, lease });
      if (claim.type === 'over') {
        step += 1;
        return next();
      }
      if (claim.type !== 'granted' && claim.type !== 'tools') return undefined;
      // A lease that has run out is that of a process that may be dead: this one is not.
      return attempts.run({ ...claim, leaseUntilMs: Date.now() + limits.heartbeatTimeoutMs }, step);
    };
    return { next };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const provider of this.#providers) await provider.close();
    await this.model.close();
    await this.store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

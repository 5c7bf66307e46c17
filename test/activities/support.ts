/** One attempt of one turn, without a Temporal server: a database, a provider and a model server of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { MockActivityEnvironment } from '@temporalio/testing';
import { RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { createActivities } from '../../src/activities/create-activities.ts';
import type { RequestedOutcome, StepResult } from '../../src/domain/turn/turn-state.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import type { RecordMode } from '../../src/domain/turn/recording.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { Script } from '../../src/testing/model-server/index.ts';
import { newTurn } from '../store/contract.ts';
import { startPatientModel } from '../support/patient-model.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  turnTimeoutMs: 60_000,
  maxOutputBytes: 1_000_000,
};

interface SceneOptions {
  readonly scripts: readonly Script[];
  readonly api?: 'chat' | 'responses';
  readonly settings?: Partial<ResponseSettings>;
  readonly record?: RecordMode;
  readonly apiKey?: string;
  readonly maxOutputBytes?: number;
}

interface Elsewhere {
  readonly environment?: MockActivityEnvironment;
  /** Streams at once. */
  readonly maxAttempts?: number;
  /** Calls of its store that go another way. */
  readonly calls?: (store: Store) => Partial<Store>;
}

/** A turn that is about to be asked, and a model that answers with these scripts. */
export async function scene(...scripts: readonly Script[]) {
  return sceneOf({ scripts });
}

export async function sceneOf({ scripts, api = 'chat', settings = {}, record = 'wire', apiKey, maxOutputBytes = 1_000_000 }: SceneOptions) {
  const model = await startPatientModel();
  model.enqueue(...scripts);
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-activity-'));
  const path = join(folder, 'turnkeep.db');
  const store = openSqliteStore(path);
  const provider = createProvider({ baseUrl: model.baseUrl, api, apiKey, limits });
  const errors: unknown[] = [];
  /** What runs turns in one process. */
  const processOn = (of: Store, room: { readonly maxAttempts?: number } = {}) => {
    const onReady = (): void => undefined;
    const onError = (error: unknown): void => void errors.push(error);
    const attempts = new RunningAttempts({ store: of, provider, limits: { ...limits, maxOutputBytes }, record, ...room, onReady, onError });
    return { attempts, activities: createActivities({ store: of, provider, attempts, onReady, onError }) };
  };
  const { attempts, activities } = processOn(store);
  const others: Store[] = [];
  const turn = newTurn('resp_a', { settings: { ...defaultSettings('scripted'), ...settings } });
  const input = { database: store.databaseId, turn: 'resp_a', step: 1 };
  await store.insertTurn(turn);
  return {
    model,
    store,
    attempts,
    errors,
    async attempt(environment = new MockActivityEnvironment()) {
      const step: StepResult = await environment.run(activities.streamModel, input);
      assert.equal(step.type, 'final');
      return step.turn;
    },
    /** `streamModel` in another process. */
    async attemptElsewhere({ environment = new MockActivityEnvironment(), calls = () => ({}), ...room }: Elsewhere = {}) {
      const other = openSqliteStore(path);
      others.push(other);
      const { activities } = processOn({ ...other, ...calls(other) }, room);
      const step: StepResult = await environment.run(activities.streamModel, input);
      assert.equal(step.type, 'final');
      return step.turn;
    },
    /** As after a sleep of the machine: no lease was renewed in time. */
    expireLeases() {
      const db = new DatabaseSync(path);
      db.exec('UPDATE journal_head SET lease_until = 1 WHERE lease_until IS NOT NULL');
      db.close();
    },
    /** As if the wait behind the last attempt were over, or as long as is said. */
    setWait(ms = 0) {
      const db = new DatabaseSync(path);
      db.exec(`UPDATE attempts SET wait_ms = ${ms}`);
      db.close();
    },
    settle(id: string, requested: RequestedOutcome) {
      return new MockActivityEnvironment().run(activities.settleTurn, { database: store.databaseId, turn: id, requested });
    },
    /** Resolves once an event of this type is in the journal. */
    async shown(type = 'response.output_text.delta') {
      const watching = new AbortController();
      for await (const rows of store.follow('resp_a', -1, watching.signal)) {
        if (rows.some((row) => row.type === type)) watching.abort();
      }
    },
    async journal(): Promise<readonly ResponseEvent[]> {
      return (await store.readJournal('resp_a')).map(({ data }) => JSON.parse(data) as ResponseEvent);
    },
    async [Symbol.asyncDispose]() {
      await attempts.drain(0);
      await provider.close();
      await model.close();
      for (const each of [store, ...others]) await each.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One attempt of one turn, without a Temporal server: a database, a provider and a model server of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../src/activities/create-activities.ts';
import type { RequestedOutcome, StepResult } from '../../src/domain/turn-state.ts';
import type { ResponseEvent } from '../../src/domain/response-event.ts';
import type { ResponseSettings } from '../../src/domain/response-settings.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { type Script, startModelServer } from '../../src/testing/model-server/index.ts';
import { newTurn } from '../store/contract.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  turnTimeoutMs: 60_000,
};
const input = { turn: 'resp_a', step: 1 };

interface SceneOptions {
  readonly scripts: readonly Script[];
  readonly api?: 'chat' | 'responses';
  readonly settings?: Partial<ResponseSettings>;
}

/** A turn that is about to be asked, and a model that answers with these scripts. */
export async function scene(...scripts: readonly Script[]) {
  return sceneOf({ scripts });
}

export async function sceneOf({ scripts, api = 'chat', settings = {} }: SceneOptions) {
  const model = await startModelServer();
  model.enqueue(...scripts);
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-activity-'));
  const store = openSqliteStore(join(folder, 'turnkeep.db'));
  const provider = createProvider({ baseUrl: model.baseUrl, api, limits });
  const activities = createActivities({ store, provider, limits });
  const turn = newTurn('resp_a');
  await store.insertTurn({ ...turn, settings: { ...turn.settings, ...settings } });
  await activities.recordInput({ turn: 'resp_a' });
  return {
    model,
    store,
    async attempt(environment = new MockActivityEnvironment()) {
      const step: StepResult = await environment.run(activities.streamModel, { ...input, deadlineAtMs: Date.now() + 60_000 });
      return step.turn;
    },
    settle(id: string, requested: RequestedOutcome) {
      return new MockActivityEnvironment().run(activities.settleTurn, { turn: id, requested });
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
      await provider.close();
      await model.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

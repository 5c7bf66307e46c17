/** A turn whose provider keeps its answers, and processes that read them, without a Temporal server. */
import { DatabaseSync } from 'node:sqlite';
import { MockActivityEnvironment } from '@temporalio/testing';
import { RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { createActivities } from '../../src/activities/create-activities.ts';
import type { TurnActivities } from '../../src/contract/activities.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import type { ResponseObject } from '../../src/domain/response/response.ts';
import type { StepResult } from '../../src/domain/turn/turn-state.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { stopAt, withStops } from '../../src/roles/stops.ts';
import { readStream } from '../../src/settle/read-stream.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { type KeptAnswer, KeptAnswers, startModelServer } from '../../src/testing/model-server/index.ts';
import { createToolBox } from '../../src/tools/tool-box.ts';
import type { WorkerTool } from '../../src/tools/tool.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const limits = {
  connectTimeoutMs: 1_000,
  firstEventTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  heartbeatTimeoutMs: 5_000,
  turnTimeoutMs: 60_000,
  maxOutputBytes: 1_000_000,
};

export interface KeptSceneOptions {
  readonly answers: readonly KeptAnswer[];
  readonly settings?: Partial<ResponseSettings>;
  readonly tools?: readonly WorkerTool[];
}

interface Process {
  readonly attempts: RunningAttempts;
  readonly activities: TurnActivities;
}

/** A turn `resp_a`; of an agent, where there are tools. */
export async function keptScene({ answers: kept, settings = {}, tools }: KeptSceneOptions) {
  const answers = new KeptAnswers(...kept);
  const model = await startModelServer({ fallback: (request) => answers.reply(request) });
  const database = temporaryDatabase();
  const own = database.open();
  const keeping = createProvider({ baseUrl: model.baseUrl, api: 'responses', limits, reattach: true });
  const { background } = keeping;
  const stops: string[] = [];
  const cancel = async (id: string): Promise<void> => {
    stops.push(id);
    await background?.cancel(id);
  };
  const provider: Provider = { ...keeping, ...(background === undefined ? {} : { background: { ...background, cancel } }) };
  const plain = createProvider({ baseUrl: model.baseUrl, api: 'responses', limits });
  const errors: unknown[] = [];
  const toolBox = createToolBox({ tools: tools ?? [], mcpServers: [], log: { info: () => undefined, warn: () => undefined } });
  const store = withStops(
    own,
    stopAt(() => provider),
  );
  const running: RunningAttempts[] = [];
  /** What runs turns in one process. */
  const process = ({ calls = {}, reattaches = true }: { readonly calls?: Partial<Store>; readonly reattaches?: boolean } = {}): Process => {
    const asked = reattaches ? provider : plain;
    const agents = { providerOf: () => asked, toolBox, log: () => undefined };
    const onReady = (): void => undefined;
    const onError = (error: unknown): void => void errors.push(error);
    const shared = { store: { ...store, ...calls }, provider: asked, agents, onReady, onError };
    const attempts = new RunningAttempts({ ...shared, limits });
    running.push(attempts);
    return { attempts, activities: createActivities({ ...shared, attempts }) };
  };
  const agent = {
    name: 'helper',
    provider: 'default',
    model: 'scripted',
    tools: (tools ?? []).map(({ name }) => name),
    settings: {},
    limits: {},
    compaction: 'auto',
  } as const;
  const ofTurn = { ...defaultSettings('helper'), ...(tools === undefined ? {} : { agent }), ...settings };
  await store.insertTurn(newTurn('resp_a', { settings: ofTurn }));
  return {
    answers,
    model,
    store,
    errors,
    /** The answers that somebody has begun to stop; the request for it may still be on its way. */
    stops,
    process,
    /** One that stands still: it renews no lease, and goes on when the model says more. */
    frozen: () => process({ calls: { beat: () => new Promise(() => undefined) } }),
    async step(step: number, { activities }: Process = process(), environment = new MockActivityEnvironment()): Promise<StepResult> {
      return environment.run(activities.streamModel, { database: store.databaseId, turn: 'resp_a', step });
    },
    requests: () => model.requests.map(({ method, path }) => `${method} ${path.replace('/v1/responses', '')}`),
    /** Resolves once the model has come to this place, and all that it said before is in the journal. */
    async shown(text: string) {
      const watching = new AbortController();
      let seen = '';
      for await (const rows of store.follow('resp_a', -1, watching.signal)) {
        for (const { data } of rows) {
          const event = JSON.parse(data) as ResponseEvent;
          if ('delta' in event && typeof event.delta === 'string') seen += event.delta;
        }
        if (seen.includes(text)) watching.abort();
      }
    },
    expireLeases() {
      const db = new DatabaseSync(database.path);
      db.exec('UPDATE journal_head SET lease_until = unixepoch() * 1000 - 1 WHERE lease_until IS NOT NULL');
      db.close();
    },
    async journal(): Promise<readonly ResponseEvent[]> {
      return (await store.readJournal('resp_a')).map(({ data }) => JSON.parse(data) as ResponseEvent);
    },
    async response(): Promise<ResponseObject> {
      return (await readStream(store, 'resp_a')).response;
    },
    async [Symbol.asyncDispose]() {
      for (const attempts of running) await attempts.drain(0);
      await provider.close();
      await plain.close();
      await toolBox[Symbol.asyncDispose]();
      await model.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** The events without what depends on when they came: deltas that follow each other are one, and numbers are left out. */
export function merged(events: readonly ResponseEvent[]): readonly object[] {
  const all: { delta?: unknown; logprobs?: unknown }[] = [];
  let last: string | undefined;
  for (const { sequence_number: _seq, ...said } of events) {
    const event: { delta?: unknown; logprobs?: unknown } = { ...said } as object;
    const { delta, logprobs: _logprobs, ...shape } = event;
    const key = typeof delta === 'string' ? JSON.stringify(shape) : undefined;
    const before = all.at(-1);
    if (key !== undefined && key === last && before !== undefined) before.delta = `${String(before.delta)}${String(delta)}`;
    else all.push({ ...event });
    last = key;
  }
  return all;
}

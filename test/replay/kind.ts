/** What a kind of turn is to the corpus, and how the turns of one are read off a turnkeep that has played them. */
import assert from 'node:assert/strict';
import { Client, Connection } from '@temporalio/client';
import { type Bundle, parseBundle } from '../../src/history/bundle.ts';
import type { JsonEvent } from '../../src/history/history-json.ts';
import { createHistoryReader } from '../../src/history/read-histories.ts';
import { until } from '../support/until.ts';
import { World, type WorldOptions } from '../support/world.ts';

/** A history that is none of a turn: of a title, a webhook, or a workflow of somebody's own. In the form that `turnkeep replay` reads. */
export interface OtherHistory {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly events: readonly JsonEvent[];
}

export interface Played {
  /** As `GET /turns/{id}/export` gives them, the first turn first. */
  readonly bundles: readonly Bundle[];
  readonly others: readonly OtherHistory[];
}

export interface Kind {
  /** Names its files. */
  readonly name: string;
  /** Plays its turns on a dev server, with a scripted model. */
  readonly play: () => Promise<Played>;
}

/** A turnkeep whose turns are over, or about to be. */
export interface Place {
  readonly url: string;
  readonly address: string;
  /** Of its worker, and of the workers of somebody's own beside it. */
  readonly taskQueues: readonly string[];
}

/** A kind that is played in this process. `tell` returns the task queues of other workers whose workflows are to be kept too. */
export function inWorld(name: string, tell: (world: World) => Promise<readonly string[] | void>, options: WorldOptions = {}): Kind {
  return {
    name,
    play: async () => {
      await using world = await World.open({ ...options, config: { hasHeadStart: true, ...options.config } });
      const queues = (await tell(world)) ?? [];
      return await read({ url: world.url, address: world.config.temporal.address ?? '', taskQueues: [world.config.taskQueue, ...queues] });
    },
  };
}

/** All turns of a place and all workflows beside them, once each of them is over. */
export async function read({ url, address, taskQueues }: Place): Promise<Played> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const turns = await list(url);
    await until(async () => (await list(url)).every(({ status }) => !['queued', 'in_progress'].includes(status)));
    const queues = taskQueues.map((queue) => `TaskQueue = '${queue}'`).join(' OR ');
    const workflows = new Map<string, string>();
    const bundles: Bundle[] = [];
    for (const { id } of turns) bundles.push(await exported(url, id));
    await until(async () => {
      for await (const { workflowId, runId, status } of client.workflow.list({ query: queues })) {
        if (status.name === 'RUNNING') return false;
        if (!workflowId.startsWith('turn/')) workflows.set(workflowId, runId);
      }
      return true;
    });
    const others: OtherHistory[] = [];
    for (const [workflowId, runId] of workflows) {
      const histories = await createHistoryReader(client)({ id: '', workflowId, runId });
      assert.ok('runs' in histories, JSON.stringify(histories));
      others.push(...histories.runs.map((run) => ({ workflow_id: workflowId, run_id: run.runId, events: run.events })));
    }
    return { bundles, others };
  } finally {
    await connection.close();
  }
}

async function list(url: string): Promise<readonly { readonly id: string; readonly status: string }[]> {
  const { data } = (await (await fetch(`${url}/turns?limit=100`)).json()) as { data: { id: string; status: string }[] };
  return data.toReversed();
}

/** With the end of its workflow, which comes a moment after that of the turn, and with all that a viewer has seen. */
async function exported(url: string, id: string): Promise<Bundle> {
  let text = '';
  await until(async () => {
    text = await (await fetch(`${url}/turns/${id}/export`)).text();
    const { temporal, timeline } = parseBundle(text, id);
    if ('missing' in temporal) return false;
    const viewers = timeline['viewers'] as readonly { readonly end: string }[];
    const last = temporal.histories.at(-1)?.events.at(-1)?.['eventType'];
    return viewers.every(({ end }) => end !== 'open') && /completed|failed|canceled/i.test(String(last));
  });
  return parseBundle(text, id);
}

/** Conversations that nobody speaks in: rows, and nothing else. */
import { countOpen } from '../support/load.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'node:http';
import { cpuByRole, residentMb, useOf } from './bill.ts';
import { listed, mapped, one, type Table, whole } from './report.ts';
import type { ClusterRig } from './rig.ts';

export interface Idle {
  readonly sessions: number;
  readonly tableBytes: Readonly<Record<string, number>>;
  readonly walBytes: number;
  readonly createdPerSecond: number;
  readonly openWorkflows: number;
  readonly temporalBytes: number;
  /** Of the replicas, MB: before, and when all are there and a minute has gone by. */
  readonly memoryMb: readonly [before: number, after: number];
  /** Of all processes while nothing is asked, % of a core: before, and when all are there. */
  readonly idleCpu: readonly [before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>];
}

const atOnce = 16;
const quietMs = 5_000;
/** A question and its answer, of the size of ordinary talk. */
const items = [
  { type: 'message', role: 'user', content: 'a question of some forty letters or more' },
  { type: 'message', role: 'assistant', content: 'an answer, '.repeat(40) },
];

export async function measureIdle(rig: ClusterRig, sessions: number): Promise<Idle> {
  const idleBefore = await quiet(rig);
  const memoryBefore = memoryMb(rig);
  const startedAt = performance.now();
  let seconds = Number.NaN;
  const use = await useOf(rig, async () => {
    await createSessions(rig, sessions);
    seconds = (performance.now() - startedAt) / 1_000;
    // What the database writes a little later is theirs too.
    await rig.database?.query('CHECKPOINT').catch(() => undefined);
  });
  await sleep(quietMs);
  return {
    sessions,
    tableBytes: mapped(use.database?.tableBytes ?? {}, (bytes) => bytes / sessions),
    walBytes: (use.database?.walBytes ?? Number.NaN) / sessions,
    createdPerSecond: sessions / seconds,
    openWorkflows: await countOpen(rig.temporal, 'turnkeep'),
    temporalBytes: use.temporalBytes,
    memoryMb: [memoryBefore, memoryMb(rig)],
    idleCpu: [idleBefore, await quiet(rig)],
  };
}

/** % of a core by role, while nothing is asked. */
async function quiet(rig: ClusterRig): Promise<Record<string, number>> {
  const { cpu } = await useOf(rig, () => sleep(quietMs));
  return mapped(cpuByRole(cpu), (ms) => (100 * ms) / quietMs);
}

const memoryMb = ({ cluster }: ClusterRig): number => cluster.replicas.reduce((sum, { pid }) => sum + residentMb(pid), 0);

async function createSessions({ target }: ClusterRig, sessions: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const body = JSON.stringify({ items });
  const headers = { authorization: `Bearer ${target.apiKey}`, 'content-type': 'application/json' };
  const create = async (n: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    request(`${target.urls[n % target.urls.length]}/v1/conversations`, { method: 'POST', headers, agent }, (answer) => {
      answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
    })
      .on('error', reject)
      .end(body);
    await promise;
  };
  let begun = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (begun < sessions) await create((begun += 1));
    }),
  );
  agent.destroy();
}

export function idleTable(idle: Idle): Table {
  const bytes = Object.values(idle.tableBytes).reduce((sum, each) => sum + each, 0);
  return {
    title: `${idle.sessions} idle conversations of two items`,
    head: ['', ''],
    rows: [
      ['bytes in Postgres each, with indexes', `${whole(bytes)} (${listed(idle.tableBytes, whole, 1)})`],
      ['WAL when one is made, bytes', whole(idle.walBytes)],
      ['made a second', whole(idle.createdPerSecond)],
      ['open workflows in Temporal', `${idle.openWorkflows}`],
      ["bytes more in Temporal's file", `${idle.temporalBytes}`],
      ['memory of the replicas before and after, MB', idle.memoryMb.map(whole).join(', ')],
      ['CPU of a core with nothing to do, before', listed(idle.idleCpu[0], (share) => `${one(share)} %`, 0.05)],
      ['the same, after', listed(idle.idleCpu[1], (share) => `${one(share)} %`, 0.05)],
    ],
  };
}

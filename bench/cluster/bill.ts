/** What the processes of a cluster use over a time: CPU by process, bytes of the database, how late event loops are. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { billOf, type CpuBill, type Processes } from '../support/cpu.ts';
import type { ClusterRig } from './rig.ts';

export interface DatabaseUse {
  readonly walBytes: number;
  readonly walSyncs: number;
  readonly commits: number;
  /** By table, with its indexes; partitions are summed. */
  readonly tableBytes: Readonly<Record<string, number>>;
}

export interface Use<T> {
  readonly result: T;
  readonly cpu: CpuBill;
  readonly database: DatabaseUse | undefined;
  /** Of the file of Temporal's dev server with its log. */
  readonly temporalBytes: number;
  /** By process, ms. */
  readonly loopLagP99Ms: Readonly<Record<string, number>>;
  /** What the connections of turnkeep were seen at, by the second word of Postgres' view (`Client/ClientRead`): shares of all looks. */
  readonly waits: Readonly<Record<string, number>>;
  /** Connections that were at work, the mean. */
  readonly busyConnections: number;
  /** A small question to Temporal, ms. */
  readonly temporalAnswerMs: { readonly p50: number; readonly max: number };
}

const lookEveryMs = 100;

export function processesOf({ cluster, model, clients }: ClusterRig): Processes {
  const all = cluster.processes.map(({ name, pid }) => [name, () => treeOf(pid)] as const);
  return { ...Object.fromEntries(all), model: model.pid, clients: clients.pid, bench: process.pid };
}

export async function useOf<T>(rig: ClusterRig, work: () => Promise<T>): Promise<Use<T>> {
  await readLoopLags(rig);
  const databaseBefore = await readDatabase(rig);
  const temporalBefore = temporalBytes(rig);
  const looks = watchDatabase(rig);
  const answers = watchTemporal(rig);
  const { bill, result } = await billOf(processesOf(rig), async () => ({ turns: 1, result: await work() }));
  const { waits, busyConnections } = await looks();
  const temporalAnswerMs = await answers();
  const loopLagP99Ms = await readLoopLags(rig);
  const databaseAfter = await readDatabase(rig);
  return {
    result,
    cpu: bill,
    database: databaseBefore && databaseAfter && difference(databaseAfter, databaseBefore),
    temporalBytes: temporalBytes(rig) - temporalBefore,
    loopLagP99Ms,
    waits,
    busyConnections,
    temporalAnswerMs,
  };
}

/** A process and all below it. */
function treeOf(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // Behind the program's name, which may have any letter in it.
      return [[Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0])] as const];
    } catch {
      return [];
    }
  });
  const found = [pid];
  for (const parent of found) found.push(...parents.flatMap(([child, of]) => (of === parent ? [child] : [])));
  return found;
}

async function readDatabase({ database }: ClusterRig): Promise<DatabaseUse | undefined> {
  if (database === undefined) return undefined;
  const { rows: totals } = await database.query<{ wal: string; syncs: string; commits: string }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal, (SELECT wal_sync FROM pg_stat_wal) AS syncs,
       (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits`,
  );
  const { rows: tables } = await database.query<{ name: string; bytes: string }>(
    `SELECT regexp_replace(relname, '_(d[0-9]{8}|default)$', '') AS name, sum(pg_total_relation_size(oid)) AS bytes
     FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY 1`,
  );
  const [total] = totals;
  return {
    walBytes: Number(total?.wal),
    walSyncs: Number(total?.syncs),
    commits: Number(total?.commits),
    tableBytes: Object.fromEntries(tables.map(({ name, bytes }) => [name, Number(bytes)])),
  };
}

/** Of a commit of one row while nothing else is asked, the median: mostly the disk's sync, ms. */
export async function commitMs({ database }: ClusterRig): Promise<number> {
  await database?.query('CREATE TABLE IF NOT EXISTS bench_commits (at bigint)');
  const times: number[] = [];
  for (let n = 0; n < 100; n += 1) {
    const startedAt = performance.now();
    await database?.query('INSERT INTO bench_commits VALUES (1)');
    times.push(performance.now() - startedAt);
  }
  await database?.query('DROP TABLE bench_commits');
  return times.toSorted((a, b) => a - b)[times.length / 2] ?? Number.NaN;
}

function difference(after: DatabaseUse, before: DatabaseUse): DatabaseUse {
  return {
    walBytes: after.walBytes - before.walBytes,
    walSyncs: after.walSyncs - before.walSyncs,
    commits: after.commits - before.commits,
    tableBytes: Object.fromEntries(Object.entries(after.tableBytes).map(([name, bytes]) => [name, bytes - (before.tableBytes[name] ?? 0)])),
  };
}

function temporalBytes({ cluster }: ClusterRig): number {
  const path = join(cluster.dataDir, 'temporal', 'temporal.db');
  return ['', '-wal'].reduce((sum, end) => sum + (existsSync(path + end) ? statSync(path + end).size : 0), 0);
}

/** Reading them begins a new time (prom-client). */
async function readLoopLags({ cluster }: ClusterRig): Promise<Record<string, number>> {
  const read = async ({ name, url }: { name: string; url: string }): Promise<readonly [string, number]> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return [name, Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text)?.[1]) * 1_000];
  };
  return Object.fromEntries(await Promise.all([...cluster.replicas, ...cluster.gateways].map(read)));
}

/** @returns ends it */
function watchDatabase({ database }: ClusterRig): () => Promise<{ waits: Record<string, number>; busyConnections: number }> {
  const counts = new Map<string, number>();
  let looks = 0;
  let last: Promise<unknown> = Promise.resolve();
  const look = async (): Promise<void> => {
    const answer = await database?.query<{ at: string; count: string }>(
      `SELECT CASE WHEN wait_event IS NULL THEN 'CPU' ELSE wait_event_type || '/' || wait_event END AS at, count(*) AS count
       FROM pg_stat_activity WHERE application_name = 'turnkeep' AND state <> 'idle' GROUP BY 1`,
    );
    looks += 1;
    for (const { at, count } of answer?.rows ?? []) counts.set(at, (counts.get(at) ?? 0) + Number(count));
  };
  const timer = setInterval(() => void (last = look()), lookEveryMs);
  return async () => {
    clearInterval(timer);
    await last;
    const sum = [...counts.values()].reduce((all, count) => all + count, 0);
    const waits = [...counts].toSorted(([, a], [, b]) => b - a).map(([at, count]) => [at, count / Math.max(1, sum)] as const);
    return { waits: Object.fromEntries(waits), busyConnections: sum / Math.max(1, looks) };
  };
}

function watchTemporal({ temporal }: ClusterRig): () => Promise<{ p50: number; max: number }> {
  const times: number[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    await temporal.workflowService.describeNamespace({ namespace: 'default' });
    times.push(performance.now() - startedAt);
  };
  const timer = setInterval(() => void (last = look().catch(() => undefined)), lookEveryMs * 2);
  return async () => {
    clearInterval(timer);
    await last;
    const sorted = times.toSorted((a, b) => a - b);
    return { p50: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
  };
}

/** ms of CPU by process, of all its threads; the replicas of a role are summed. */
export function cpuByRole(cpu: CpuBill): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, times] of cpu) {
    const role = name.replace(/-\d+$/, '');
    sums[role] = (sums[role] ?? 0) + [...times.values()].reduce((sum, ms) => sum + ms, 0);
  }
  return sums;
}

/** ms of CPU by the kind of thread, of all processes of a role. */
export function threadsOfRole(cpu: CpuBill, role: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, times] of cpu) {
    if (name.replace(/-\d+$/, '') !== role) continue;
    for (const [kind, ms] of times) sums[kind] = (sums[kind] ?? 0) + ms;
  }
  return sums;
}

export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

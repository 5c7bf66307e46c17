/** CPU time by process and by what its threads are for, from Linux's /proc; elsewhere nothing is known. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Milliseconds by kind of thread. */
type CpuTimes = ReadonlyMap<string, number>;

/** The first 15 letters of a thread's name. */
const kinds: { readonly [name: string]: string } = {
  MainThread: 'main',
  // Each thread in which Temporal's SDK runs workflows; nothing else here starts a worker thread.
  WorkerThread: 'sandbox',
  'tokio-runtime-w': "Temporal's core",
  'workflow-proces': "Temporal's core",
  'temporal-real-s': "Temporal's core",
  V8Worker: 'V8',
  DelayedTaskSche: 'V8',
  'libuv-worker': 'libuv',
};

/** Pids by name. A function finds those of a process that starts others, before and after. */
export type Processes = Readonly<Record<string, number | (() => readonly number[])>>;

/** By process, then by kind of thread: ms. */
export type CpuBill = ReadonlyMap<string, CpuTimes>;

/** What the processes use while `work` runs, divided by the number of turns that it resolves with. A thread that ends meanwhile is not counted. */
export async function billOf<T extends { readonly turns: number }>(
  processes: Processes,
  work: () => Promise<T>,
): Promise<T & { readonly bill: CpuBill }> {
  const before = new Map(Object.entries(processes).map(([name, pid]) => [name, threadsOfAll(pid)]));
  const result = await work();
  const bill = new Map<string, CpuTimes>();
  for (const [name, pid] of Object.entries(processes)) {
    const times = new Map<string, number>();
    for (const [thread, { kind, ms }] of threadsOfAll(pid)) {
      const usedMs = (ms - (before.get(name)?.get(thread)?.ms ?? 0)) / result.turns;
      times.set(kind, (times.get(kind) ?? 0) + usedMs);
    }
    bill.set(name, times);
  }
  return { ...result, bill };
}

export function sumOf(bill: CpuBill, process: string): number {
  return Array.from(bill.get(process)?.values() ?? []).reduce((sum, ms) => sum + ms, 0);
}

export function allOf(bill: CpuBill): number {
  return Array.from(bill.keys()).reduce((sum, process) => sum + sumOf(bill, process), 0);
}

/** `12.0 ms (main 8.1 ms, sandbox 2.6 ms, Temporal's core 1.3 ms)`, kinds that hardly count left out. */
export function byThread(bill: CpuBill, process: string, text = (time: number): string => `${time.toFixed(1)} ms`): string {
  const all = sumOf(bill, process);
  const times = [...(bill.get(process) ?? [])].filter(([, time]) => time >= all / 200).toSorted(([, a], [, b]) => b - a);
  return `${text(all)} (${times.map(([kind, time]) => `${kind} ${text(time)}`).join(', ')})`;
}

/** Of the main thread so far, ms: on a CPU, and ready to run while others had it. */
export function mainThreadOf(pid: number): { readonly onCpuMs: number; readonly waitedMs: number } {
  const path = `/proc/${pid}/task/${pid}/schedstat`;
  const [onCpu = Number.NaN, waited = Number.NaN] = existsSync(path) ? readFileSync(path, 'utf8').split(' ').map(Number) : [];
  return { onCpuMs: onCpu / 1e6, waitedMs: waited / 1e6 };
}

interface Thread {
  readonly kind: string;
  readonly ms: number;
}

function threadsOfAll(pids: Processes[string]): ReadonlyMap<string, Thread> {
  return new Map((typeof pids === 'number' ? [pids] : pids()).flatMap((pid) => [...threadsOf(pid)]));
}

function threadsOf(pid: number): ReadonlyMap<string, Thread> {
  const threads = new Map<string, Thread>();
  const folder = `/proc/${pid}/task`;
  if (!existsSync(folder)) return threads;
  for (const thread of readdirSync(folder)) {
    try {
      const name = readFileSync(`${folder}/${thread}/comm`, 'utf8').trim();
      // Nanoseconds on a CPU: finer than the ticks of 10 ms in `stat`.
      const [ns] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ');
      threads.set(thread, { kind: kinds[name] ?? 'other', ms: Number(ns) / 1e6 });
    } catch {
      // It has ended.
    }
  }
  return threads;
}

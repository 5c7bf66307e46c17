/**
 * Where the main thread's time goes in a turn of 20 tokens: V8's own CPU profile of the process with gateway and worker, by
 * function, by file, and by the function of ours that was at work, what it calls included. Not measured: printed on stderr.
 */
import { writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { untilClosed } from '../support/backlog.ts';
import { closedLoad } from '../support/load.ts';
import { say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const shown = 40;
const root = new URL('../../', import.meta.url).href;

/** @param path where the whole profile goes, for Chrome's developer tools */
export async function profileTurns(
  rig: Rig,
  { url, taskQueue, worker }: Deployment,
  { turns, path }: { readonly turns: number; readonly path: string },
): Promise<void> {
  const turn = async (): Promise<number> => (await watchTurn(url, order).ended).endedAtMs;
  await closedLoad({ atOnce: 1, turns: 50 }, turn);
  await worker.call('startProfile');
  await closedLoad({ atOnce: 1, turns }, turn);
  await untilClosed(rig, taskQueue);
  const profile = await worker.call<Profiler.Profile>('stopProfile');
  writeFileSync(path, JSON.stringify(profile));
  const { byFunction, byFile, byOurs } = summed(profile);
  print('self, by function', byFunction, turns);
  print('self, by file', byFile, turns);
  print('by the innermost function of ours, all that it calls included', byOurs, turns);
  say(`  the whole profile: ${path}`);
}

type Times = Map<string, number>;

function summed({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): { byFunction: Times; byFile: Times; byOurs: Times } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const byFunction: Times = new Map();
  const byFile: Times = new Map();
  const byOurs: Times = new Map();
  const add = (times: Times, name: string, us: number): void => void times.set(name, (times.get(name) ?? 0) + us);
  for (const [at, sample] of samples.entries()) {
    const us = timeDeltas[at] ?? 0;
    const frame = byId.get(sample)?.callFrame;
    if (frame === undefined || frame.functionName === '(idle)') continue;
    add(byFunction, nameOf(frame), us);
    add(byFile, fileOf(frame), us);
    let id: number | undefined = sample;
    while (id !== undefined && byId.get(id)?.callFrame.url.startsWith(`${root}src/`) !== true) id = parentOf.get(id);
    const ours = id === undefined ? undefined : byId.get(id)?.callFrame;
    add(byOurs, ours === undefined ? `none of ours: ${fileOf(topOf(sample))}` : nameOf(ours), us);
  }
  return { byFunction, byFile, byOurs };

  /** The outermost frame of a file: the native callbacks and timers of Node and of packages. */
  function topOf(sample: number): Frame {
    let frame = byId.get(sample)!.callFrame;
    for (let id: number | undefined = sample; id !== undefined; id = parentOf.get(id)) {
      const outer = byId.get(id)!.callFrame;
      if (outer.url !== '') frame = outer;
    }
    return frame;
  }
}

type Frame = Profiler.Profile['nodes'][number]['callFrame'];

function fileOf({ url, functionName }: Frame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native';
  return url.replace(root, '').replace(/^.*node_modules\/(?!.*node_modules)/, '');
}

function nameOf(frame: Frame): string {
  return `${frame.functionName === '' ? '(anonymous)' : frame.functionName} ${fileOf(frame)}${frame.url === '' ? '' : `:${frame.lineNumber + 1}`}`;
}

function print(title: string, times: Times, turns: number): void {
  const all = Array.from(times.values()).reduce((sum, us) => sum + us, 0);
  say(`  ${title}, ms a turn (all: ${(all / 1_000 / turns).toFixed(2)})`);
  for (const [name, us] of [...times].toSorted(([, a], [, b]) => b - a).slice(0, shown))
    say(`    ${(us / 1_000 / turns).toFixed(3)}  ${name}`);
}

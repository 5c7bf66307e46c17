/** Sums up a CPU profile: by function, by file, and by the function of ours that was at work, what it calls included. */
import type { Profiler } from 'node:inspector';
import { say } from './report.ts';

const shown = 40;
const root = new URL('../../', import.meta.url).href;
/** Nothing to be done about, or our own measuring. */
const leftOut = new Set(['(idle)', 'post node:inspector', 'dispatch node:inspector']);

type Frame = Profiler.Profile['nodes'][number]['callFrame'];

/** @param turns that the profile covers */
export function printProfile(thread: string, profile: Profiler.Profile, turns: number): void {
  const { byFunction, byFile, byOurs } = summed(profile);
  print(`${thread}: self, by function`, byFunction, turns);
  print(`${thread}: self, by file`, byFile, turns);
  print(`${thread}: by the innermost function of ours, all that it calls included`, byOurs, turns);
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
    const stack: Frame[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = parentOf.get(id)) stack.push(byId.get(id)!.callFrame);
    const [frame] = stack;
    if (frame === undefined || leftOut.has(frame.functionName) || leftOut.has(`${frame.functionName} ${frame.url}`)) continue;
    add(byFunction, nameOf(frame), us);
    add(byFile, fileOf(frame), us);
    const ours = stack.find(({ url }) => /(?:^|\/)src\/(?!.*node_modules)/.test(url) && !url.includes('node_modules'));
    // The outermost frame of a file: a callback of Node's, or of a package.
    const outermost = stack.findLast(({ url }) => url !== '') ?? frame;
    add(byOurs, ours === undefined ? `none of ours: ${nameOf(outermost)}` : nameOf(ours), us);
  }
  return { byFunction, byFile, byOurs };
}

function fileOf({ url, functionName }: Frame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native';
  return url.replace(root, '').replace(/^.*node_modules\//, '');
}

function nameOf(frame: Frame): string {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
  return frame.url === '' ? name : `${name} ${fileOf(frame)}:${frame.lineNumber + 1}`;
}

function print(title: string, times: Times, turns: number): void {
  const all = Array.from(times.values()).reduce((sum, us) => sum + us, 0);
  say(`  ${title}, ms a turn (all: ${(all / 1_000 / turns).toFixed(2)})`);
  for (const [name, us] of [...times].toSorted(([, a], [, b]) => b - a).slice(0, shown))
    say(`    ${(us / 1_000 / turns).toFixed(3)}  ${name}`);
}

/** Sums up a CPU profile: by function, and by whose it is, a package's or a file's of ours, what Node does for it included. */
import type { Profiler } from 'node:inspector';
import { say } from './report.ts';

const shown = 40;
const root = new URL('../../', import.meta.url).href;
/** Nothing to be done about, or our own measuring. */
const leftOut = new Set(['(idle)']);

type Frame = Profiler.Profile['nodes'][number]['callFrame'];

/** @param turns that the profile covers */
export function printProfile(thread: string, profile: Profiler.Profile, turns: number): void {
  const { byFunction, byOwner } = summed(profile);
  print(`${thread}: self, by function`, byFunction, turns);
  print(`${thread}: by package and file`, byOwner, turns);
}

type Times = Map<string, number>;

function summed({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): { byFunction: Times; byOwner: Times } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const byFunction: Times = new Map();
  const byOwner: Times = new Map();
  const add = (times: Times, name: string, us: number): void => void times.set(name, (times.get(name) ?? 0) + us);
  for (const [at, sample] of samples.entries()) {
    const us = timeDeltas[at] ?? 0;
    const stack: Frame[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = parentOf.get(id)) stack.push(byId.get(id)!.callFrame);
    const [frame] = stack;
    if (frame === undefined || leftOut.has(frame.functionName)) continue;
    if (stack.some(({ url }) => url.includes('/bench/'))) continue;
    add(byFunction, nameOf(frame), us);
    add(byOwner, ownerOf(stack), us);
  }
  return { byFunction, byOwner };
}

/** Of the innermost frame that is neither Node's nor native. */
function ownerOf(stack: readonly Frame[]): string {
  const [leaf] = stack;
  // V8's own, such as `(garbage collector)`.
  if (leaf !== undefined && /^\([a-z ]+\)$/.test(leaf.functionName) && leaf.functionName !== '(anonymous)') return leaf.functionName;
  const frame = stack.find(({ url }) => url !== '' && !url.startsWith('node:'));
  if (frame !== undefined) return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(frame.url)?.[1] ?? fileOf(frame);
  const outermost = stack.findLast(({ url }) => url !== '');
  return outermost === undefined ? 'native' : `Node: ${nameOf(outermost)}`;
}

function fileOf({ url }: Frame): string {
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

/**
 * A soak: an open load on real processes, of which a random one is killed with -9 (or stopped for 12 s) every 20 s, and the
 * whole of what must hold of every turn checked at the end. Progress on stderr, a table on stdout; exit code 1, the seed and
 * the timeline of each turn that went wrong when something did not hold.
 *
 *     node bench/soak.ts --minutes=60 --seed=1
 *     --rate=8         turns a second
 *     --sessions=24    at the same time
 *     --every=20       seconds from one kill to the next; 0: none
 *     --spare=serve-2  is never killed, so that its memory can be watched over a long time
 *     --keep           leaves the databases and logs where they are; so does a violation
 *     TURNKEEP_HEAD_START=off …   settings of turnkeep hold here too
 */
import { parseArgs } from 'node:util';
import { runSoak } from './soak/run.ts';
import { roleNames, type Target } from './soak/plan.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    rate: { type: 'string', default: '8' },
    sessions: { type: 'string', default: '24' },
    every: { type: 'string', default: '20' },
    spare: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
  },
});
const targets: readonly Target[] = [...roleNames, 'temporal'];
const spared = targets.filter((name) => values.spare.includes(name));
if (spared.length < values.spare.length) throw new Error(`--spare takes ${targets.join(', ')}`);
const isClean = await runSoak({
  seed: Number(values.seed),
  turnsPerSecond: Number(values.rate),
  sessions: Number(values.sessions),
  forMs: Number(values.minutes) * 60_000,
  everyMs: Number(values.every) * 1_000,
  spared: new Set(spared),
  isKept: values.keep,
});
process.exit(isClean ? 0 : 1);

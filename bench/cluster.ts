/**
 * What a cluster carries on this machine: the processes of `npm run cluster` (Postgres, Temporal's dev server, replicas of turnkeep,
 * nginx), a model and clients, all on the same cores. It asserts nothing: progress on stderr, tables on stdout.
 *
 *     node bench/cluster.ts                    everything, in five minutes
 *     node bench/cluster.ts turns fan-out      some of: first-token turns streams idle fan-out
 *     --costs=bench/scale/costs.json           writes what was measured there too, for the simulation (bench/scale/simulate.ts)
 *     --first-tokens=100                       turns of `first-token`, on each database
 *     --rates=10,20,30                         of `turns`, a second; --seconds=12 of each
 *     --streams=50,100,150                     of `streams`, at once
 *     --sessions=10000                         of `idle`
 *     --viewers=10000x50                       of `fan-out`: viewers and tokens a second, several with commas
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { commitMs } from './cluster/bill.ts';
import { fanOutCosts, fanOutTable, type FannedOut, measureFanOut } from './cluster/fan-out.ts';
import { firstTokenTable, measureFirstTokens } from './cluster/first-token.ts';
import { idleTable, measureIdle } from './cluster/idle.ts';
import { type Table, textOf } from './cluster/report.ts';
import { type ClusterRig, startClusterRig } from './cluster/rig.ts';
import { measureStreams, streamsTable, tokenCosts } from './cluster/streams.ts';
import { isCarried, measureTurns, turnCosts, turnsTable } from './cluster/turns.ts';
import { othersShare, say } from './support/report.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    costs: { type: 'string' },
    'first-tokens': { type: 'string', default: '100' },
    rates: { type: 'string', default: '10,20,30,40,50,60' },
    seconds: { type: 'string', default: '12' },
    streams: { type: 'string', default: '50,100,150,200,300' },
    tokens: { type: 'string', default: '400' },
    sessions: { type: 'string', default: '10000' },
    viewers: { type: 'string', default: '1000x50,10000x50' },
  },
});
// Also when it is stopped midway: what it has started goes with it.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
const wants = (name: string): boolean => positionals.length === 0 || positionals.includes(name);
const numbers = (text: string): number[] => text.split(',').map(Number);

const costs: Record<string, unknown> = {};

async function measure(name: string, measuring: () => Promise<{ readonly table: Table; readonly costs: unknown }>): Promise<void> {
  if (!wants(name)) return;
  say(`${name} (others now use ${(await othersShare()).toFixed(0)} % of the machine, load ${loadavg()[0]?.toFixed(1)})`);
  const { table, costs: own } = await measuring();
  costs[name] = own;
  process.stdout.write(`${textOf(table)}\n`);
  if (values.costs !== undefined) writeCosts(values.costs);
}

/** What another run has measured stays. */
function writeCosts(path: string): void {
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>) : {};
  const machine = { cores: cpus().length, model: cpus()[0]?.model, node: process.versions.node };
  writeFileSync(path, `${JSON.stringify({ ...before, machine, ...costs }, undefined, 2)}\n`);
}

async function measureAt(
  options: Parameters<typeof startClusterRig>[0],
  names: readonly string[],
  work: (rig: ClusterRig) => Promise<void>,
) {
  if (!names.some(wants)) return;
  await using rig = await startClusterRig(options);
  await work(rig);
}

await measure('first-token', async () => {
  const measured = await measureFirstTokens({ turns: Number(values['first-tokens']), warmUp: 1.5 * Number(values['first-tokens']) });
  return { table: firstTokenTable(measured), costs: measured };
});
await measureAt({ replicas: 2, workers: 0 }, ['turns', 'streams', 'idle'], async (rig) => {
  await measure('idle', async () => {
    const measured = await measureIdle(rig, Number(values.sessions));
    return { table: idleTable(measured), costs: measured };
  });
  await measure('turns', async () => {
    const commit = await commitMs(rig);
    const steps = await measureTurns(rig, { rates: numbers(values.rates), seconds: Number(values.seconds) });
    const carried = steps.map((step) => ({
      perSecond: step.perSecond,
      isCarried: isCarried(step),
      firstToken: step.arrived.firstToken,
      end: step.arrived.end,
      endedInTimePerSecond: step.arrived.endedInTime / step.seconds,
    }));
    return { table: turnsTable(steps), costs: { commitMs: commit, ...turnCosts(steps), steps: carried } };
  });
  await measure('streams', async () => {
    const steps = await measureStreams(rig, { counts: numbers(values.streams), tokens: Number(values.tokens) });
    const carried = steps.map(({ count, streamed: { lag, lateShare } }) => ({ count, lag, lateShare }));
    return { table: streamsTable(steps), costs: { ...tokenCosts(steps), steps: carried } };
  });
});
await measureAt({ replicas: 0, gateways: 2, workers: 1 }, ['fan-out'], async (rig) => {
  await measure('fan-out', async () => {
    const runs: FannedOut[] = [];
    for (const one of values.viewers.split(',')) {
      const [viewers = 0, tokensPerSecond = 0] = one.split('x').map(Number);
      runs.push(await measureFanOut(rig, { viewers, tokensPerSecond, tokens: 10 * tokensPerSecond }));
    }
    return { table: fanOutTable(runs), costs: runs.map(fanOutCosts) };
  });
});

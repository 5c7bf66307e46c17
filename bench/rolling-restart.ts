/**
 * `node bench/rolling-restart.ts [TURNS] [STEPS] [SECONDS] [DRAIN MS]`: a rolling restart of all workers every 20 seconds under
 * ten agents' turns of fifteen steps. Each step but the last calls two tools of some seconds, one that may run once and one that
 * may run three times; the drain is shorter than some of them. What became of each turn, request and call is checked against
 * the laws (`checkAgentTurn`), and counted; exit code 1 where one did not hold, or a turn did not complete.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { chatAnswer, type LoggedRequest, type Script, sseHead, wait } from '../src/testing/model-server/index.ts';
import {
  againOf,
  type AskedStep,
  callsOf,
  askedStep,
  type CheckedTurn,
  checkAgentTurn,
  onceOf,
  ToolRuns,
} from '../test/support/agent-turns.ts';
import { post } from '../test/support/post.ts';
import { type Cluster, type Role, startCluster } from '../test/support/processes.ts';

const workersAtOnce = 3;
/** Of a tool; which one it is decides. */
const [shortestMs, longestMs] = [3_000, 11_000];
/** Between the head of an answer and its end. */
const answerMs = 1_000;
const lookEveryMs = 100;

interface Plan {
  readonly turns: number;
  readonly steps: number;
  readonly everyMs: number;
  readonly drainMs: number;
}

/** Silent for a second before it says anything. */
function slowly([head, ...rest]: Script): Script {
  return [head ?? sseHead, wait(answerMs), ...rest];
}

function toolMs(name: string): number {
  const sum = Buffer.from(name).reduce((hash, letter) => (hash * 31 + letter) % 9_973, 7);
  return shortestMs + (sum / 9_973) * (longestMs - shortestMs);
}

/** Lets each tool end when its time is over, from its first run on. */
async function runTools(runs: ToolRuns, signal: AbortSignal): Promise<void> {
  const begun = new Map<string, number>();
  while (!signal.aborted) {
    for (const { word, name } of runs.notes) if (word === 'begun' && !begun.has(name)) begun.set(name, Date.now());
    for (const [name, atMs] of begun) if (Date.now() - atMs >= toolMs(name)) runs.release(name);
    await sleep(lookEveryMs);
  }
}

interface Rolls {
  rolls: number;
  replaced: number;
}

/** A new worker for each old one, one after the other; then the next roll. */
async function roll(cluster: Cluster, everyMs: number, signal: AbortSignal): Promise<Rolls> {
  const counts: Rolls = { rolls: 0, replaced: 0 };
  let running: Role[] = [...cluster.workers];
  for (let nextAtMs = Date.now() + everyMs; !signal.aborted; nextAtMs = Math.max(nextAtMs + everyMs, Date.now())) {
    await sleep(Math.max(0, nextAtMs - Date.now()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const fresh: Role[] = [];
    for (const old of running) {
      fresh.push(await cluster.startWorker());
      old.signal('SIGTERM');
      counts.replaced += 1;
    }
    running = fresh;
    counts.rolls += 1;
  }
  return counts;
}

function tally(values: Iterable<string>): string {
  const counts = Map.groupBy(values, (value) => value);
  return [...counts]
    .map(([value, { length }]) => `${length} ${value}`)
    .toSorted()
    .join(', ');
}

async function main({ turns, steps, everyMs, drainMs }: Plan): Promise<void> {
  using runs = new ToolRuns();
  const fallback = (request: LoggedRequest): Script => {
    const asked: AskedStep = askedStep(request);
    return slowly(asked.step < steps ? callsOf(asked) : chatAnswer('done'));
  };
  const env = { ...runs.env, TURNKEEP_DRAIN_MS: String(drainMs), TURNKEEP_HEARTBEAT_TIMEOUT_MS: '8000' };
  await using cluster = await startCluster({ model: { fallback }, env });
  const { url } = await cluster.startGateway();
  for (let n = 0; n < workersAtOnce; n += 1) await cluster.startWorker();

  const over = new AbortController();
  const beganMs = Date.now();
  const names = Array.from({ length: turns }, (_, n) => `turn${n}`);
  const ids = await Promise.all(
    names.map(async (name) => String((await post(url, { model: 'worker', input: name, background: true })).json?.['id'])),
  );
  const tools = runTools(runs, over.signal);
  const rolling = roll(cluster, everyMs, over.signal);
  const tookMs: number[] = [];
  for (const id of ids) {
    while ((await cluster.store.readTurn(id))?.settledAtMs == null) await sleep(lookEveryMs);
    tookMs.push(Date.now() - beganMs);
  }
  over.abort();
  const [{ rolls, replaced }] = await Promise.all([rolling, tools]);

  const checked: CheckedTurn[] = [];
  for (const [n, name] of names.entries()) {
    checked.push(await checkAgentTurn({ store: cluster.store, model: cluster.model, runs }, ids[n] ?? '', name));
  }
  const callsAt = (position: number): string[] => checked.flatMap(({ calls }) => calls.filter((_, n) => n % 2 === position));
  const begun = (nameOf: typeof onceOf): string[] =>
    names.flatMap((turn) => Array.from({ length: steps - 1 }, (_, n) => `${runs.count('begun', nameOf({ turn, step: n + 1 }))} times`));
  console.log(
    `${turns} turns of ${steps} steps in ${(Math.max(...tookMs) / 1_000).toFixed(0)} s; ${rolls} rolls, ${replaced} workers replaced, drain ${drainMs} ms`,
  );
  console.log(`turns:    ${tally(checked.map(({ status, code }) => `${status}${code === null ? '' : ` ${code}`}`))}`);
  console.log(`requests: ${tally(checked.flatMap(({ requests }) => requests.map((made) => `steps asked ${made} times`)))}`);
  console.log(`one run:  ${tally(callsAt(0))}; really begun: ${tally(begun(onceOf))}`);
  console.log(`three:    ${tally(callsAt(1))}; really begun: ${tally(begun(againOf))}`);
  if (checked.some(({ status, requests }) => status !== 'completed' || requests.length !== steps)) process.exitCode = 1;
}

const [turns = 10, steps = 15, seconds = 20, drainMs = 5_000] = process.argv.slice(2).map(Number);
await main({ turns, steps, everyMs: seconds * 1_000, drainMs });

/** Runs a soak: load and disturbances side by side, then quiet, then the checks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { clockMs } from '../support/clock.ts';
import { say } from '../support/report.ts';
import type { Clients } from './clients.ts';
import { Load, type SoakLoad } from './load.ts';
import { planDisturbance, type Target } from './plan.ts';
import { residentMb, SoakProcesses } from './processes.ts';
import type { Violation } from './record.ts';
import { disturbanceRow, firstTokenRow, logRow, memoryRows, type MemorySample, sizeRow } from './report.ts';
import { settleDown } from './settle-down.ts';
import { verify } from './verify.ts';

export interface SoakOptions extends SoakLoad {
  /** From one disturbance to the next; 0: none. */
  readonly everyMs: number;
  readonly spared: ReadonlySet<Target>;
  /** Databases and logs stay. */
  readonly isKept: boolean;
}

const sampleEveryMs = 5_000;
/** Of turns that went wrong: one fault may have many. */
const timelines = 20;

/** Prints the table. Resolves with whether all held. */
export async function runSoak(options: SoakOptions): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-soak-'));
  const startedAtMs = clockMs();
  const at = (ms: number): string => `${((ms - startedAtMs) / 1_000).toFixed(3)} s`;
  say(`soak of ${options.forMs / 60_000} minutes with seed ${options.seed} in ${folder}`);
  await using processes = await SoakProcesses.start(folder);
  const onSignal = (): void => {
    processes.killRoles();
    process.exit(1);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);

  const violations: Violation[] = [];
  const onViolation = (violation: Violation): void => {
    violations.push(violation);
    say(`  VIOLATION at ${at(clockMs())}: ${violation.what} (${violation.turn?.id ?? violation.turn?.plan.order.marker ?? 'no turn'})`);
  };
  const giveUp = new AbortController();
  const clients: Clients = {
    gateways: processes.gateways,
    signal: giveUp.signal,
    at,
    onViolation: (what, turn) => onViolation({ what, ...(turn === undefined ? {} : { turn }) }),
  };
  const load = new Load(clients, options);
  const memory: MemorySample[] = [];
  const sampling = setInterval(() => {
    for (const each of processes.all) {
      const mb = residentMb(each.pid);
      if (mb !== undefined) memory.push({ ...each, mb, atMs: clockMs() });
    }
  }, sampleEveryMs);

  const over = new AbortController();
  const disturbing = disturb(processes, options, over.signal, (text) => {
    say(`  ${at(clockMs())} ${text}; ${load.turns.length} posted, ${load.ended} ended`);
  });
  const { left } = await load.run();
  over.abort();
  await disturbing;
  say('the load is over');
  // Temporal may still be on its way back.
  const connection = Connection.lazy({ address: processes.temporal.address });
  const { workflow } = new Client({ connection });
  const quiet = await settleDown({ processes, workflow, left, isEnded: () => load.ended === load.turns.length });
  clearInterval(sampling);
  for (const what of [...quiet.problems, ...processes.lost]) onViolation({ what });

  const rows: [string, string][] = [];
  say('checking');
  const checked = await verify({ clients, processes, load, giveUp, onViolation });
  rows.push(
    ...checked.rows,
    ['quiet after the load', `${(quiet.tookMs / 1_000).toFixed(1)} s: ${quiet.state}`],
    disturbanceRow(processes.disturbed),
    firstTokenRow(load.turns, processes.disturbed),
    ...memoryRows(memory),
    sizeRow(folder, processes.dataDir),
    logRow(folder),
    ['violations', String(violations.length)],
  );
  await connection.close();
  const text = rows.map(([figure, value]) => `| ${figure} | ${value} |`).join('\n');
  process.stdout.write(
    `| soak, seed ${options.seed} | ${options.forMs / 60_000} minutes, ${options.turnsPerSecond} turns a second |\n| --- | --- |\n${text}\n`,
  );
  for (const { what, turn } of violations.slice(0, timelines)) say(`\n${what}\n    ${turn === undefined ? '' : checked.timelineOf(turn)}`);
  const isClean = violations.length === 0;
  if (!isClean) say(`\nseed ${options.seed}`);
  if (isClean && !options.isKept) process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  else say(`databases and logs: ${folder}`);
  return isClean;
}

/** Resolves when the last disturbance is over. */
async function disturb(
  processes: SoakProcesses,
  { seed, everyMs, spared }: SoakOptions,
  over: AbortSignal,
  onDisturb: (text: string) => void,
): Promise<void> {
  if (everyMs === 0) return;
  const running: Promise<void>[] = [];
  for (let n = 0; ; n += 1) {
    await sleep(everyMs, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) break;
    const { kind, target } = planDisturbance(seed, n, spared);
    if (!processes.isUp(target)) {
      onDisturb(`${target} was to be disturbed, and is not there yet`);
      continue;
    }
    onDisturb(`${kind === 'kill' ? 'kill -9' : 'SIGSTOP'} ${target}`);
    // A process that does not come back is booked as lost, and started again.
    running.push(processes.disturb({ kind, target }).catch(() => undefined));
  }
  await Promise.all(running);
}

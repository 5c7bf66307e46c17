/** Carries out the planned faults of the machinery, one after the other at their times, several side by side where they last. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../../bench/support/clock.ts';
import type { CampaignCluster } from './cluster.ts';
import type { Clock, Disk } from './machine.ts';
import { type FaultKind, type LinkAction, linkActions, type LinkKind, linkKinds, type PlannedFault, processKinds } from './plan.ts';
import type { Disturbable } from './process.ts';
import type { Link } from './proxy.ts';
import type { OperationLog } from './record.ts';

export interface StrikeOptions {
  readonly cluster: CampaignCluster;
  readonly disk: Disk | undefined;
  readonly clock: Clock | undefined;
  readonly log: OperationLog;
  readonly say: (text: string) => void;
}

/** A link without traffic feels nothing: this long it is waited for some. */
const patienceMs = 15_000;
const waitForTargetMs = 60_000;
const longestStepSeconds = 30;

/** What can be done to this cluster on this machine. */
export function kindsFor({ cluster, disk, clock }: Omit<StrikeOptions, 'log' | 'say'>): readonly FaultKind[] {
  const has = (kinds: readonly { readonly kind: string }[], kind: string): boolean => kinds.some((each) => each.kind === kind);
  return [
    ...processKinds
      .filter((kind) => has(cluster.processes, kind))
      .flatMap((kind) => [`kill ${kind}`, `stop ${kind}`, `term ${kind}`] as const),
    ...linkKinds.filter((kind) => has(cluster.links, kind)).flatMap((kind) => linkActions.map((action) => `${action} ${kind}` as const)),
    ...(disk === undefined ? [] : (['disk full'] as const)),
    ...(clock === undefined ? [] : (['clock forward', 'clock back'] as const)),
  ];
}

/** Resolves when the last of them is over, and all is as it was. @param signal aborts those that have not begun */
export async function strike(options: StrikeOptions, planned: readonly PlannedFault[], signal?: AbortSignal): Promise<void> {
  const startedAtMs = clockMs();
  const running: Promise<void>[] = [];
  for (const fault of planned) {
    await sleep(Math.max(0, startedAtMs + fault.atMs - clockMs()), undefined, { signal }).catch(() => undefined);
    if (signal?.aborted === true) break;
    running.push(carryOut(options, fault));
  }
  await Promise.all(running);
}

/** Links that are bad, and machines: two faults at once on one of them would end each other. */
const busy = new Set<object>();

async function carryOut(options: StrikeOptions, fault: PlannedFault): Promise<void> {
  const { log, say } = options;
  const { kind } = fault;
  const target = await targetOf(options, fault);
  if (target === undefined) {
    log.add({ op: 'fault', kind, on: 'nothing that was there', overAtMs: clockMs(), isFelt: false });
    return;
  }
  const atMs = clockMs();
  let isFelt = false;
  try {
    isFelt = await inflict(fault, target);
  } finally {
    busy.delete(target);
    const on = 'name' in target ? target.name : 'the machine';
    log.add({ op: 'fault', atMs, overAtMs: clockMs(), kind, on, isFelt });
    say(`${kind} (${on}) for ${((clockMs() - atMs) / 1_000).toFixed(1)} s${isFelt ? '' : ': nobody felt it'}`);
  }
}

type Target = Disturbable | Link | Disk | Clock;

/** Taken by this fault alone, once it is there. */
async function targetOf({ cluster, disk, clock }: StrikeOptions, { kind, choice }: PlannedFault): Promise<Target | undefined> {
  const untilMs = clockMs() + waitForTargetMs;
  const [, of = ''] = kind.split(' ');
  for (; clockMs() < untilMs; await sleep(50)) {
    const machine = kind === 'disk full' ? disk : kind.startsWith('clock ') ? clock : undefined;
    const candidates: Target[] = [];
    if (machine !== undefined) candidates.push(machine);
    else if (isOfLink(kind)) candidates.push(...cluster.links.filter((link) => link.kind === of));
    // While it is killed, stopped or on its way back, it is not up.
    else candidates.push(...cluster.processes.filter((process) => process.kind === of && process.isUp));
    const free = candidates.filter((candidate) => !busy.has(candidate));
    const target = free[Math.floor(choice * free.length)];
    if (target === undefined) continue;
    busy.add(target);
    return target;
  }
  return undefined;
}

function isOfLink(kind: FaultKind): kind is `${LinkAction} ${LinkKind}` {
  return linkActions.some((action) => kind.startsWith(`${action} `));
}

/** Resolves when it is over. @returns whether it was felt by anything */
async function inflict({ kind, forMs, choice }: PlannedFault, target: Target): Promise<boolean> {
  const [word] = kind.split(' ');
  if ('disturb' in target) return target.disturb(word as LinkAction, { forMs, direction: choice < 0.5 ? 'up' : 'down', patienceMs });
  if ('fill' in target) {
    const isFull = target.fill();
    await sleep(forMs);
    target.free();
    return isFull;
  }
  if ('step' in target) {
    const seconds = Math.ceil(choice * longestStepSeconds);
    target.step(kind === 'clock forward' ? seconds : -seconds);
    // It is seen within a second.
    await sleep(1_000);
    return true;
  }
  if (word === 'stop') await target.stop(forMs);
  else if (word === 'kill') await target.kill();
  else await target.leave();
  return true;
}

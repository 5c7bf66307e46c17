/** How far apart the clocks of this machine and of Temporal's server are. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Finding } from '../../store/ports/diagnosis.ts';
import type { TemporalLook } from './temporal.ts';

/** Leases and waits are seconds, and are the database's; dates of logs, of histories and of providers are to fit. */
const warnMs = 1_000;
const faultMs = 30_000;

const check = 'clock';
const taskQueue = 'turnkeep-doctor';
const workflowQueue = 1;
const pollMs = 4_000;
const lookEveryMs = 50;

/** Temporal tells no time. It does tell when a poll came, so there is one: of a task queue on which there is never a task. */
export async function lookAtClock({ ask, connection, namespace }: TemporalLook): Promise<readonly Finding[]> {
  const identity = `doctor-${crypto.randomUUID()}`;
  const sentAtMs = Date.now();
  // Nobody waits for its end: it comes with that of the connection.
  connection
    .withDeadline(sentAtMs + pollMs, () =>
      connection.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue }, identity }),
    )
    .catch(() => undefined);
  while (Date.now() < sentAtMs + pollMs) {
    const { pollers } = await ask((service) =>
      service.describeTaskQueue({ namespace, taskQueue: { name: taskQueue }, taskQueueType: workflowQueue }),
    );
    const seenAtMs = Date.now();
    const time = (pollers ?? []).find((poller) => poller.identity === identity)?.lastAccessTime;
    if (time != null) {
      const atMs = Number(time.seconds) * 1_000 + (time.nanos ?? 0) / 1_000_000;
      return [clockFinding(atMs < sentAtMs ? atMs - sentAtMs : Math.max(0, atMs - seenAtMs))];
    }
    await delay(lookEveryMs);
  }
  return [{ check, status: 'unknown', seen: "Temporal tells no time: it cannot be seen how far its clock is from this machine's" }];
}

/** @param aheadMs how far Temporal's clock is ahead of this machine's, beyond what the answer took */
function clockFinding(aheadMs: number): Finding {
  const apartMs = Math.abs(aheadMs);
  if (apartMs < warnMs) return { check, status: 'ok', seen: `Temporal's clock is this machine's, to ${Math.ceil(apartMs / 10) * 10} ms` };
  const seen = `Temporal's clock is ${(apartMs / 1_000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`;
  const mend = 'set both by NTP (`timedatectl status`, `chronyc tracking`)';
  return { check, status: apartMs < faultMs ? 'warning' : 'fault', seen, mend };
}

/** Where the time of a turn of 20 tokens goes, in the main thread and in the sandbox. Printed on stderr: no figure of the table. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilClosed } from '../support/backlog.ts';
import { closedLoad } from '../support/load.ts';
import { printProfile } from '../support/profile.ts';
import type { Profiles } from '../support/profiler.ts';
import { say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const turns = 200;

/** @param folder where the profiles go, for Chrome's developer tools */
export async function profileTurns(rig: Rig, { url, taskQueue, worker }: Deployment, folder: string): Promise<void> {
  const turn = async (): Promise<number> => (await watchTurn(url, order).ended).endedAtMs;
  await closedLoad({ atOnce: 1, turns: 100 }, turn);
  await worker.call('startProfile');
  await closedLoad({ atOnce: 1, turns }, turn);
  await untilClosed(rig, taskQueue);
  const profiles = await worker.call<Profiles>('stopProfile');
  for (const [thread, profile] of Object.entries(profiles)) {
    printProfile(thread, profile, turns);
    const path = join(folder, `turnkeep-${thread}.cpuprofile`);
    writeFileSync(path, JSON.stringify(profile));
    say(`  the whole profile: ${path}`);
  }
}

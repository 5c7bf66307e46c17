/** Where the time of a turn of 20 tokens goes, in the main thread and in the sandbox. Printed on stderr: no figure of the table. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilClosed } from '../support/backlog.ts';
import { closedLoad, openLoad } from '../support/load.ts';
import { printProfile } from '../support/profile.ts';
import type { Profiles } from '../support/profiler.ts';
import { say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const turns = 200;
const sessions = 16;
const seconds = 15;

/** @param folder where the profiles go, for Chrome's developer tools */
export async function profileTurns(rig: Rig, deployment: Deployment, folder: string): Promise<void> {
  const { client, url, taskQueue, worker } = deployment;
  const profiled = async (load: string, turns: number, work: () => Promise<unknown>): Promise<void> => {
    await worker.call('startProfile');
    await work();
    await untilClosed(rig, taskQueue);
    for (const [thread, profile] of Object.entries(await worker.call<Profiles>('stopProfile'))) {
      printProfile(`${load}: ${thread}`, profile, turns);
      const path = join(folder, `turnkeep-${load.replaceAll(' ', '-')}-${thread}.cpuprofile`);
      writeFileSync(path, JSON.stringify(profile));
      say(`  the whole profile: ${path}`);
    }
  };
  const alone = async (): Promise<number> => (await watchTurn(url, order).ended).endedAtMs;
  await closedLoad({ atOnce: 1, turns: 100 }, alone);
  await profiled('one at a time', turns, () => closedLoad({ atOnce: 1, turns }, alone));
  const talks = await Promise.all(Array.from({ length: sessions }, async () => (await client.conversations.create()).id));
  const said = async (session: number): Promise<number> => (await watchTurn(url, order, talks[session]).ended).firstDeltaAtMs;
  await profiled('open load', sessions * seconds, () => openLoad({ sessions, seconds }, said, async () => undefined));
}

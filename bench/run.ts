/**
 * `npm run bench`: what turnkeep adds to a call of the model, each figure beside a direct call to the same server and, where
 * it is Temporal's, beside the least workflow, in the same run. It asserts nothing: progress on stderr, a table on stdout.
 *
 *     node bench/run.ts                  everything, in ten minutes
 *     node bench/run.ts quick            the figures to look at between two changes, in a minute and a half
 *     node bench/run.ts cpu cancel       some of: first-token path history turn-cost throughput open-load journal
 *                                        cancel conversation cpu viewers flood slow-disk
 *     node bench/run.ts profile          where the main thread's time goes in a turn; measures nothing
 *     --seconds=15                       of the open load, instead of 60
 *     TURNKEEP_HEAD_START=off …          settings of turnkeep hold here too
 *     BENCH_FLAGS=--cpu-prof …           flags for Node, of the process with gateway and worker
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { measureCancel } from './measures/cancel.ts';
import { measureConversation } from './measures/conversation.ts';
import { measureCpu } from './measures/cpu.ts';
import { measureFlood } from './measures/flood.ts';
import { measureFirstToken } from './measures/first-token.ts';
import { measureHistory } from './measures/history.ts';
import { measureJournal } from './measures/journal.ts';
import { measureOpenLoad } from './measures/open-load.ts';
import { measurePath } from './measures/path.ts';
import { profileTurns } from './measures/profile.ts';
import { measureSlowDisk } from './measures/slow-disk.ts';
import { measureThroughput } from './measures/throughput.ts';
import { measureTurnCost } from './measures/turn-cost.ts';
import { measureViewers } from './measures/viewers.ts';
import { othersShare, type Row, say, tableOf } from './support/report.ts';
import { startRig } from './support/rig.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string' } } });
const isQuick = positionals.includes('quick');
const ofQuick = ['first-token', 'path', 'turn-cost', 'throughput', 'open-load'];
const wanted = new Set([...positionals, ...(isQuick ? ofQuick : [])]);
const wants = (name: string): boolean => wanted.size === 0 || wanted.has(name);
const flags = process.env['BENCH_FLAGS']?.split(' ') ?? [];
const sessions = 16;
const seconds = Number(values.seconds ?? (isQuick ? 15 : 60));

const rows: Row[] = [];
const measure = async (name: string, measuring: () => Promise<readonly Row[]>): Promise<void> => {
  if (!wants(name)) return;
  say(`${name} (others now use ${(await othersShare()).toFixed(0)} % of the machine)`);
  const more = await measuring();
  for (const { figure, turnkeep, direct, floor, added } of more) {
    const beside = Object.entries({ direct, 'least workflow': floor, added }).flatMap(([of, text]) =>
      text === undefined ? [] : [`; ${of} ${text}`],
    );
    say(`  ${figure}: ${turnkeep}${beside.join('')}`);
  }
  rows.push(...more);
};

{
  say('starting');
  await using rig = await startRig();
  const inOne = await rig.startInOne({ flags });
  const floor = wants('turn-cost') || wants('throughput') ? await rig.startFloor() : undefined;
  if (wanted.has('profile')) await profileTurns(rig, inOne, tmpdir());
  let conversation: string | undefined;
  await measure('first-token', async () => {
    const measured = await measureFirstToken(rig, inOne, { turns: isQuick ? 60 : 100, hasCrowd: !isQuick });
    ({ conversation } = measured);
    return measured.rows;
  });
  await measure('path', () => measurePath(rig));
  await measure('history', () => measureHistory(rig, inOne, conversation));
  if (floor !== undefined) {
    await measure('turn-cost', () => measureTurnCost(rig, inOne, floor, isQuick ? 60 : 200));
    await measure('throughput', () =>
      measureThroughput(rig, inOne, floor, isQuick ? { roundMs: 7_000, rounds: 1 } : { roundMs: 10_000, rounds: 3 }),
    );
    // Two pollers less while the others are measured.
    await floor[Symbol.asyncDispose]();
  }
  await measure('open-load', () => measureOpenLoad(rig, inOne, { sessions, seconds }));
  await measure('journal', async () => measureJournal(rig, inOne, await rig.startInTwo()));
  await measure('cancel', () => measureCancel(rig, inOne));
  await measure('flood', async () => [
    ...(await measureFlood(rig, { rounds: 15, turns: 20, maxRunningTurns: 1_000, requestsPerSecond: 0 })),
    ...(await measureFlood(rig, { rounds: 15, turns: 20, maxRunningTurns: 32, requestsPerSecond: 0 })),
    ...(await measureFlood(rig, { rounds: 15, turns: 20, maxRunningTurns: 32, requestsPerSecond: 10 })),
  ]);
  await measure('conversation', () => measureConversation(rig, inOne));
  await measure('cpu', () => measureCpu(rig, inOne, { pacedTokens: 1_000 }));
  await measure('viewers', () => measureViewers(rig, inOne));
  await measure('slow-disk', () => measureSlowDisk(rig, { sessions, seconds: Math.min(seconds, 15) }));
}
process.stdout.write(`${tableOf(rows)}\n`);

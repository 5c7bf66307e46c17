/**
 * `npm run bench`: what turnkeep adds to a call of the model, each figure beside a direct call of the `openai` client
 * to the same server in the same run. It asserts nothing: progress on stderr, a table on stdout. Takes four minutes.
 *
 *     node bench/run.ts                  everything
 *     node bench/run.ts cpu cancel       some of: first-token (and history) journal cancel conversation cpu throughput viewers
 *     BENCH_FLAGS=--cpu-prof …           flags for Node, of the process with gateway and worker
 */
import { measureCancel } from './measures/cancel.ts';
import { measureConversation } from './measures/conversation.ts';
import { measureCpu } from './measures/cpu.ts';
import { measureFirstToken } from './measures/first-token.ts';
import { measureHistory } from './measures/history.ts';
import { measureJournal } from './measures/journal.ts';
import { measureThroughput } from './measures/throughput.ts';
import { measureViewers } from './measures/viewers.ts';
import { othersShare, type Row, say, tableOf } from './support/report.ts';
import { startRig } from './support/rig.ts';

const wanted = new Set(process.argv.slice(2));
const wants = (name: string): boolean => wanted.size === 0 || wanted.has(name);
const flags = process.env['BENCH_FLAGS']?.split(' ') ?? [];

const rows: Row[] = [];
const measure = async (name: string, measuring: () => Promise<readonly Row[]>): Promise<void> => {
  say(`${name} (others now use ${(await othersShare()).toFixed(0)} % of the machine)`);
  const more = await measuring();
  for (const { figure, turnkeep, direct } of more) say(`  ${figure}: ${turnkeep}; direct ${direct}`);
  rows.push(...more);
};

{
  say('starting');
  await using rig = await startRig();
  const inOne = await rig.startInOne(flags);
  if (wants('first-token')) {
    let conversation = '';
    await measure('first token', async () => {
      const measured = await measureFirstToken(rig, inOne);
      ({ conversation } = measured);
      return measured.rows;
    });
    await measure('history', () => measureHistory(rig, inOne, conversation));
  }
  if (wants('journal')) await measure('journal', async () => measureJournal(rig, inOne, await rig.startInTwo()));
  if (wants('cancel')) await measure('cancel', () => measureCancel(rig, inOne));
  if (wants('conversation')) await measure('conversation', () => measureConversation(rig, inOne));
  if (wants('cpu')) await measure('CPU', () => measureCpu(rig, inOne));
  if (wants('viewers')) await measure('viewers', () => measureViewers(rig, inOne));
  if (wants('throughput')) await measure('throughput', () => measureThroughput(rig, inOne));
}
process.stdout.write(`${tableOf(rows)}\n`);

/** Tools of dice: they take a while, fail, and some heed no signal. `once` and `mail` may run once, `again` three times. */
import type { ToolContext, WorkerTool } from '../../../src/tools/tool.ts';
import type { Process } from './process.ts';
import type { Schedule } from './schedule.ts';

/** By name: how often a call may run. */
export const attemptsOfTools: Readonly<Record<string, number>> = { once: 1, again: 3, mail: 1 };

export function toolsOf(schedule: Schedule, process: Process): readonly WorkerTool[] {
  return Object.entries(attemptsOfTools).map(([name, attempts]) => ({
    name,
    serverLabel: 'turnkeep',
    description: name,
    inputSchema: { type: 'object' },
    attempts,
    timeoutMs: 20_000,
    needsApproval: () => name === 'mail',
    check: () => undefined,
    run: async (args, context) => ({
      type: 'output',
      text: await run(schedule, process, { tool: name, call: JSON.stringify(args['call']).slice(1, -1) }, context),
    }),
  }));
}

async function run(
  schedule: Schedule,
  process: Process,
  of: { readonly tool: string; readonly call: string },
  { signal, idempotencyKey: key }: ToolContext,
): Promise<string> {
  const { dice, happened } = schedule;
  await process.alive();
  happened.push({ type: 'begun', key, ...of });
  const heeds = dice.isBelow(0.7);
  await schedule.sleep(dice.upTo(3_000), heeds ? signal : undefined);
  await process.alive();
  if (heeds) signal.throwIfAborted();
  if (dice.isBelow(0.1)) throw new Error(`${of.call} failed`);
  happened.push({ type: 'ended', key, ...of });
  return `${of.call} is done`;
}

/**
 * A conversation that lives for weeks: a schedule looks into the inbox each day, here twice by hand.
 *
 *     npm run example support-inbox
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection, type ScheduleHandle } from '@temporalio/client';
import OpenAI from 'openai';
import { startTurnkeep } from '../turnkeep.ts';
import { story } from './story.ts';
import { startWorker } from './worker.ts';
import { lookIntoInbox } from './workflows.ts';

const taskQueue = 'support-inbox';
const inbox = mkdtempSync(join(tmpdir(), 'support-inbox-'));

await using turnkeep = await startTurnkeep(import.meta.dirname, story);
const openai = new OpenAI({ baseURL: turnkeep.baseUrl, apiKey: 'none' });
await using _worker = await startWorker(taskQueue, turnkeep.env);
const connection = await Connection.connect({ address: turnkeep.temporalAddress });
const temporal = new Client({ connection });

const { id: session } = await openai.conversations.create();
const schedule = await temporal.schedule.create({
  scheduleId: 'support-inbox',
  spec: { calendars: [{ hour: 8 }] },
  policies: { overlap: 'BUFFER_ONE' },
  action: { type: 'startWorkflow', workflowType: lookIntoInbox, args: [inbox, session], taskQueue },
});

await day('1', 'This is Ada. Where is my kettle? The order is A-1001.');
await day('2', 'Ada again. That was two weeks ago. Which parcel was it?');

console.log(`The conversation, by GET ${turnkeep.baseUrl}/conversations/${session}/items:\n`);
for await (const item of openai.conversations.items.list(session, { order: 'asc' })) {
  if (item.type === 'message') console.log(`${item.role}: ${item.content.map((part) => ('text' in part ? part.text : '')).join('')}`);
  if (item.type === 'mcp_call') console.log(`  ${item.name} ${item.arguments}\n  ${item.output}`);
}

await connection.close();
rmSync(inbox, { recursive: true });

/** A mail comes, and the schedule's hour, which `trigger` brings at once. */
async function day(name: string, mail: string): Promise<void> {
  writeFileSync(join(inbox, `${name}.mail`), mail);
  await schedule.trigger();
  await nextRun(schedule, Number(name));
  console.log(`mail   ${mail}\nanswer ${readFileSync(join(inbox, `${name}.answer`), 'utf8')}\n`);
}

/** Waits for the end of the workflow that the schedule has started, whose failure is thrown. */
async function nextRun(schedule: ScheduleHandle, count: number): Promise<void> {
  for (;;) {
    const { info } = await schedule.describe();
    const workflow = info.recentActions[count - 1]?.action.workflow;
    if (workflow !== undefined) {
      await temporal.workflow.getHandle(workflow.workflowId).result();
      return;
    }
    await pause(100);
  }
}

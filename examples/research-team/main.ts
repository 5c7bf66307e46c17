/**
 * One command: starts Temporal's dev server, turnkeep and a worker with the team's workflow in this process, asks the team, and
 * puts its question to whoever sits at the terminal.
 *
 *     npm run example research-team -- [--yes] [QUESTION]
 */
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { GatewayClient, resumeResponse } from 'turnkeep/http-client';
import { createTestEnvironment } from 'turnkeep/testing';
import { teamStory } from './story.ts';
import config from './turnkeep.config.ts';
import { decide, question, researchTeam, writing } from './workflows.ts';

const isSure = process.argv.includes('--yes') || !process.stdin.isTTY;
const asked = process.argv.slice(2).find((argument) => argument !== '--yes') ?? 'Which plants live without flowers?';
const { OPENAI_API_KEY, OPENAI_BASE_URL } = process.env;
const hasModel = OPENAI_API_KEY !== undefined || OPENAI_BASE_URL !== undefined;

const environment = await createTestEnvironment({
  config,
  providers: hasModel ? 'configured' : 'scripted',
  model: { fallback: teamStory().reply },
  env: {
    ...(OPENAI_API_KEY === undefined ? {} : { OPENAI_API_KEY }),
    ...(OPENAI_BASE_URL === undefined ? {} : { OPENAI_BASE_URL }),
  },
});
try {
  if (!hasModel) console.log('(Without OPENAI_API_KEY or OPENAI_BASE_URL a story answers, not a model.)');
  const { taskQueue } = await environment.startWorker({
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  });
  const workflowId = 'research-team';
  const handle = await environment.temporal.workflow.start(researchTeam, { workflowId, taskQueue, args: [asked] });
  console.log(`${asked}\nThe team works; every turn is at ${environment.url}/turns`);

  const open = await handle.executeUpdate(question);
  if (open !== null) {
    console.log(`\nThe reviewer asks: ${open.name} ${open.arguments}`);
    await handle.signal(decide, await decisionOf());
  }

  const id = await handle.executeUpdate(writing);
  if (id !== null) {
    console.log();
    const gateway = new GatewayClient({ baseUrl: `${environment.url}/v1` });
    for await (const update of resumeResponse(gateway, id)) {
      if (update.type === 'event' && update.event.type === 'response.output_text.delta') process.stdout.write(update.event.delta ?? '');
    }
    console.log();
  }
  const { status, text } = await handle.result();
  console.log(status === 'written' ? '\nWritten.' : `\n${status}: ${text}`);
} finally {
  await environment[Symbol.asyncDispose]();
}

async function decisionOf(): Promise<{ readonly approve: boolean; readonly reason?: string }> {
  if (isSure) {
    console.log('Approved.');
    return { approve: true };
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('Approve? [y/N, or why not] ');
  terminal.close();
  if (/^y(es)?$/i.test(answer)) return { approve: true };
  return { approve: false, ...(answer === '' ? {} : { reason: answer }) };
}

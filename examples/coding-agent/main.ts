/**
 * Asks an agent for a change, shows what it does, and asks a person before it writes.
 *
 *     npm run example coding-agent
 *     PROJECT=~/code/mine npm run example coding-agent "Write a README."      with a provider of your own
 */
import { cpSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import OpenAI from 'openai';
import type { Response, ResponseCreateParamsStreaming, ResponseInput, ResponseOutputItem } from 'openai/resources/responses/responses';
import { startTurnkeep } from '../turnkeep.ts';
import { story } from './story.ts';

const [, , task = 'sum.js gives wrong sums. Mend it.'] = process.argv;
const project = process.env['PROJECT'] ?? copyOfProject();

await using turnkeep = await startTurnkeep(import.meta.dirname, story(project), { PROJECT: project });
const client = new OpenAI({ baseURL: turnkeep.baseUrl, apiKey: 'none' });

console.log(`> ${task}`);
let answer = await run({ model: 'coder', input: task, stream: true });
for (;;) {
  const asked = answer.output.filter((item) => item.type === 'mcp_approval_request');
  if (asked.length === 0) break;
  // The turn has ended, and costs nothing while it waits: the answer may come weeks later, from another process.
  const input: ResponseInput = [];
  for (const { id, name, arguments: args } of asked) {
    input.push({ type: 'mcp_approval_response', approval_request_id: id, approve: await agrees(`Allow ${name} ${args}?`) });
  }
  answer = await run({ model: 'coder', previous_response_id: answer.id, input, stream: true });
}
if (process.env['PROJECT'] === undefined) {
  console.log(`\n${project}/sum.js is now:\n\n${readFileSync(join(project, 'sum.js'), 'utf8')}`);
}

/** Runs a turn to its end, and shows it as it comes. */
async function run(request: ResponseCreateParamsStreaming): Promise<Response> {
  for await (const event of await client.responses.create(request)) {
    if (event.type === 'response.output_text.delta') process.stdout.write(event.delta);
    if (event.type === 'response.output_item.done') show(event.item);
    if (event.type === 'response.completed') return event.response;
    if (event.type === 'response.failed') throw new Error(`the turn failed: ${event.response.error?.message}`);
    if (event.type === 'response.incomplete') throw new Error(`the turn was cut: ${event.response.incomplete_details?.reason}`);
  }
  throw new Error('the stream ended before the turn did');
}

function show(item: ResponseOutputItem): void {
  if (item.type === 'message') console.log();
  if (item.type !== 'mcp_call') return;
  console.log(`- ${item.name} ${item.arguments}`);
  for (const line of (item.output ?? JSON.stringify(item.error)).trimEnd().split('\n')) console.log(`    ${line}`);
}

async function agrees(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    console.log(`? ${question} yes, for nobody is there to be asked`);
    return true;
  }
  using terminal = createInterface({ input: process.stdin, output: process.stdout });
  return /^y/i.test(await terminal.question(`? ${question} [y/N] `));
}

/** So that the example has something to mend the next time too. */
function copyOfProject(): string {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'coding-agent-')));
  cpSync(join(import.meta.dirname, 'project'), copy, { recursive: true });
  return copy;
}

/**
 * `node bench/long-turn.ts [CALLS] [CALLS AT ONCE]`: a turn of 300 calls of tools behind a conversation of 200,000 tokens. What
 * its history takes, and whether its last step is slower than its first but for the prompt, which grows: each step is timed
 * from the arrival of its request at the model to that of the next one.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { readAgentConfig } from '../src/config/agent-config.ts';
import { defineConfig } from '../src/config/define-config.ts';
import { defineTool } from '../src/config/define-tool.ts';
import { workflowIdOf } from '../src/contract/workflows.ts';
import { chatAnswer, chatToolCalls, type LoggedRequest, startModelServer } from '../src/testing/model-server/index.ts';
import { World } from '../test/support/world.ts';

const items = 1_000;
/** 200,000 tokens of four characters each, in all. */
const itemChars = 800;
const resultChars = 200;
const pageOfItems = 500;
/** Steps whose times are compared. */
const sample = 10;

interface Plan {
  readonly calls: number;
  readonly atOnce: number;
}

interface Arrival {
  readonly atMs: number;
  readonly bytes: number;
}

/** The model, on a thread of its own: what it costs is not turnkeep's. */
async function model({ calls, atOnce }: Plan): Promise<void> {
  const arrivals: Arrival[] = [];
  const steps = Math.ceil(calls / atOnce);
  const fallback = ({ arrivedAtMs, bodyText }: LoggedRequest) => {
    arrivals.push({ atMs: arrivedAtMs, bytes: Buffer.byteLength(bodyText) });
    const step = arrivals.length;
    if (step > steps) return chatAnswer('done');
    return chatToolCalls(
      ...Array.from({ length: atOnce }, (_, n) => ({ id: `call_${step}_${n}`, name: 'look', arguments: { at: `${step}.${n}` } })),
    );
  };
  const server = await startModelServer({ fallback, keepLog: false });
  parentPort?.postMessage(server.baseUrl, []);
  parentPort?.on('message', () => parentPort?.postMessage(arrivals, []));
}

function answerOf<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function main(plan: Plan): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  const baseUrl = await answerOf<string>(worker);
  /** CPU of the main thread at each call. */
  const cpu: number[] = [];
  const look = defineTool({
    description: 'looks',
    input: z.object({ at: z.string() }),
    run: ({ at }) => {
      if (at.endsWith('.0')) cpu.push(cpuMs());
      return `${at} `.padEnd(resultChars, 'x');
    },
  });
  const agents = defineConfig({
    tools: { look },
    agents: { looker: { model: 'scripted', tools: ['look'], limits: { steps: plan.calls + 1 } } },
  });
  await using world = await World.open({
    baseUrl: () => baseUrl,
    agents: () => readAgentConfig(agents),
    limits: { turnTimeoutMs: 3_600_000 },
  });
  const { id: conversation } = await world.client.conversations.create();
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(20).slice(0, itemChars);
  for (let from = 0; from < items; from += pageOfItems) {
    const page = Array.from({ length: pageOfItems }, (_, at) => ({
      role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content: text,
    }));
    await world.client.conversations.items.create(conversation, { items: page });
  }
  const viewer = await world.hear('go', { model: 'looker', conversation });
  const { status, error } = viewer.last.response;
  const history = await world.history(viewer.id);
  const description = await world.temporal.workflow.getHandle(workflowIdOf(viewer.id)).describe();
  const answered = answerOf<readonly Arrival[]>(worker);
  worker.postMessage('arrivals', []);
  const arrivals = await answered;
  await worker.terminate();

  const steps = arrivals.slice(1).map(({ atMs }, index) => atMs - (arrivals[index]?.atMs ?? Number.NaN));
  const cpuOfSteps = cpu.slice(1).map((at, index) => at - (cpu[index] ?? Number.NaN));
  const compared = (values: readonly number[]): string =>
    `${median(values.slice(0, sample)).toFixed(1)} -> ${median(values.slice(-sample)).toFixed(1)} ms`;
  console.log(`${plan.calls} calls, ${plan.atOnce} at once: ${status} ${error?.message ?? ''}`);
  console.log(`history: ${history.events?.length} events, ${((description.historySize ?? Number.NaN) / 1_048_576).toFixed(3)} MiB`);
  console.log(`prompt:  ${arrivals[0]?.bytes} -> ${arrivals.at(-1)?.bytes} bytes`);
  console.log(`a step:  ${compared(steps)}; CPU of the main thread ${compared(cpuOfSteps)} (medians of the first and the last ${sample})`);
  console.log(`in all:  ${(steps.reduce((sum, ms) => sum + ms, 0) / 1_000).toFixed(1)} s, ${viewer.events.length} events`);
}

if (parentPort === null) {
  const [calls = 300, atOnce = 1] = process.argv.slice(2).map(Number);
  await main({ calls, atOnce });
} else {
  await model(workerData as Plan);
}

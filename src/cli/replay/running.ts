/** The histories of all open workflows of a namespace, as files: what a deploy is about to meet. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { createDataConverter } from '../../codec/data-converter.ts';
import type { Config } from '../../config/config.ts';
import { agentTurnType, titleType, webhookType } from '../../contract/workflows.ts';
import { readRun, whyMissing } from '../../history/read-histories.ts';
import type { ReplayReport } from '../../history/replay/replay-histories.ts';
import { Progress } from '../progress.ts';
import { StartError } from '../start-error.ts';
import { connectTemporal, temporalServerOf } from '../temporal-connection.ts';

const patienceMs = 10_000;

/** Histories that are asked for at the same time. */
const atOnce = 8;

const ours = [agentTurnType, titleType, webhookType].map((type) => `'${type}'`).join(', ');

export interface RunningHistories {
  readonly files: readonly string[];
  /** Of runs whose histories are not to be had. */
  readonly missing: readonly ReplayReport[];
}

/**
 * @param folder where the files go
 * @param hasOwn workflows of one's own are replayed too, and not only counted
 * @throws {StartError} when Temporal does not answer; {ConfigError} when there is none to ask
 */
export async function saveRunning(config: Config, folder: string, hasOwn: boolean): Promise<RunningHistories> {
  const connection = await connected(config);
  try {
    const { namespace } = config.temporal;
    const client = new Client({ connection, namespace, dataConverter: createDataConverter(config.codecKeys) });
    const running = "ExecutionStatus = 'Running'";
    const query = hasOwn ? running : `${running} AND WorkflowType IN (${ours})`;
    const progress = new Progress('read', 0);
    const [files, missing]: [string[], ReplayReport[]] = [[], []];
    let number = 0;
    const runs = client.workflow.list({ query })[Symbol.asyncIterator]();
    const read = async (): Promise<void> => {
      for (let next = await runs.next(); next.done !== true; next = await runs.next()) {
        const { workflowId, runId, type } = next.value;
        progress.add(1);
        const file = join(folder, `${(number += 1)}.history.json`);
        try {
          const { events } = await readRun(client, workflowId, runId);
          await writeFile(file, JSON.stringify({ workflow_id: workflowId, run_id: runId, events }), { mode: 0o600 });
          files.push(file);
        } catch (error) {
          const about = { id: workflowId, file, workflow_id: workflowId, run_id: runId, workflow_type: type };
          missing.push({ ...about, outcome: 'not_replayed', reason: whyMissing(error) });
        }
        progress.step();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, read));
    progress.end();
    if (!hasOwn) {
      const { count } = await client.workflow.count(`${running} AND WorkflowType NOT IN (${ours})`);
      if (count > 0) process.stderr.write(`turnkeep: ${count} open workflows are of other types: --workflows PATH replays them too\n`);
    }
    return { files, missing };
  } finally {
    await connection.close();
  }
}

async function connected(config: Config): Promise<NativeConnection> {
  const log = pino({ level: 'silent' });
  const signal = AbortSignal.timeout(patienceMs);
  const server = await temporalServerOf(config, log, signal);
  try {
    return await connectTemporal(server, log, signal);
  } catch (error) {
    throw new StartError(
      `Temporal does not answer at ${server.address ?? 'its address'} (TEMPORAL_ADDRESS) within ${patienceMs / 1_000} s.`,
      { cause: error },
    );
  }
}

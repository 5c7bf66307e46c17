/**
 * The process that `turnkeep debug` starts, and that a debugger attaches to: replays the runs of a file in its main thread, and prints
 * the states. Exit codes: 0 it is the same, 1 the code diverges, 2 it could not be replayed.
 */
import { parseArgs } from 'node:util';
import { type InjectedSinks, Worker } from '@temporalio/worker';
import { historyOfJson } from '../history-json.ts';
import { readRuns, type StoredRun } from '../replay/history-files.ts';
import { silenceRuntime } from '../replay/replay-histories.ts';
import { temporalEventsOf } from '../temporal-event-list.ts';
import type { DebugSinks, Observation } from './observed-state.ts';
import { reportText, stateReports } from './state-report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { at: { type: 'string' }, json: { type: 'boolean', default: false } },
});
const [file = '', codePath = ''] = positionals;

async function replayRun({ id, workflowId, runId, events }: StoredRun): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  const sinks: InjectedSinks<DebugSinks> = {
    turnkeepDebug: { observe: { fn: (_info, observation) => void observations.push(observation), callDuringReplay: true } },
  };
  // A context of its own for each run: what the code keeps in variables of a module is not kept from one to the next.
  const options = { workflowBundle: { codePath }, sinks, reuseV8Context: false };
  let error: Error | undefined;
  for await (const result of Worker.runReplayHistories(options, [{ workflowId, history: historyOfJson({ events }) }])) {
    ({ error } = result);
  }
  const reports = stateReports(temporalEventsOf(events), observations);
  if (values.json) for (const report of reports) process.stdout.write(`${JSON.stringify({ id, run_id: runId, ...report })}\n`);
  else process.stdout.write(`${id}, run ${runId}\n${reportText(reports)}`);
  if (error !== undefined) {
    process.exitCode = 1;
    process.stderr.write(`${id} diverges: turnkeep replay names the line.\n${error.message}\n`);
  }
  return observations;
}

function refuse(message: string): void {
  process.exitCode = 2;
  process.stderr.write(`turnkeep: ${message}\n`);
}

silenceRuntime();
const stored = await readRuns(file);
if ('missing' in stored) refuse(`${stored.id} cannot be replayed: ${stored.missing}`);
else {
  const observations: Observation[] = [];
  for (const run of stored.runs) observations.push(...(await replayRun(run)));
  const steps = observations.flatMap(({ state }) => (state.phase === 'ready' ? [state.step] : []));
  if (observations.length === 0) process.stderr.write('The history has no turn of an agent: there are no states.\n');
  else if (values.at !== undefined && !steps.includes(Number(values.at))) {
    refuse(`--at ${values.at}: the turn has the steps ${Math.min(...steps)} to ${Math.max(...steps)}.`);
  }
}
process.exit();

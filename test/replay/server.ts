/** A Temporal dev server for the corpus, which wants histories to be begun anew early: so many events would be megabytes. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { probeNamespace } from '../../src/cli/dev-server/probe.ts';
import { serverArguments } from '../../src/cli/dev-server/server-arguments.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';

/** Of events: more than any kind has but the one that is about this. */
const suggestedAt = 100;
const lookEveryMs = 50;
const ip = '127.0.0.1';

/** The worlds and clusters of this process are on it from then on. */
export async function startCorpusServer(): Promise<() => void> {
  const [port = 0] = await freePorts([undefined]);
  const server = spawn(
    await testTemporalProgram(),
    [
      ...serverArguments({ ip, port, namespace: 'default' }),
      '--dynamic-config-value',
      `limit.historyCount.suggestContinueAsNew=${suggestedAt}`,
    ],
    { stdio: 'ignore' },
  );
  const stop = (): void => void server.kill('SIGKILL');
  process.once('exit', stop);
  while ((await probeNamespace(`${ip}:${port}`, 'default')) !== undefined) await delay(lookEveryMs);
  process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'] = `${ip}:${port}`;
  process.env['TURNKEEP_TEST_TEMPORAL_NAMESPACE'] = 'default';
  return stop;
}

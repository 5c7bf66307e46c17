/** A Temporal dev server of its own, in memory, with settings beside ours. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { probeNamespace } from '../../src/cli/dev-server/probe.ts';
import { serverArguments } from '../../src/cli/dev-server/server-arguments.ts';
import { testTemporalProgram } from './temporal-server.ts';

const lookEveryMs = 50;
const ip = '127.0.0.1';

export interface TunedServer {
  readonly address: string;
  readonly stop: () => void;
}

/** @param settings of Temporal's dynamic configuration; the server goes with this process, if it is not stopped before */
export async function startTunedServer(settings: Readonly<Record<string, number>>): Promise<TunedServer> {
  const [port = 0] = await freePorts([undefined]);
  const tuned = Object.entries(settings).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]);
  const server = spawn(await testTemporalProgram(), [...serverArguments({ ip, port, namespace: 'default' }), ...tuned], {
    stdio: 'ignore',
  });
  const stop = (): void => void server.kill('SIGKILL');
  process.once('exit', stop);
  const address = `${ip}:${port}`;
  while ((await probeNamespace(address, 'default')) !== undefined) await delay(lookEveryMs);
  return { address, stop };
}

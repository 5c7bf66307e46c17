/**
 * `turnkeep gateway` (the HTTP API alone) and `turnkeep worker` (runs turns and nothing else): any number of both against one
 * Temporal namespace and one database.
 */
import { ConfigError, type Config } from '../config/config.ts';
import { startLogging } from './logging.ts';
import { onStopSignal, type RolesOptions, runRoles } from './start-roles.ts';
import { connectTemporal, temporalServerOf } from './temporal-connection.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

export async function runGateway(config: Config): Promise<void> {
  await runRole(config, 'gateway', ({ log, gatewayUrl }) => {
    log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
    print(`turnkeep gateway listens on ${gatewayUrl}`);
  });
}

/** @throws {ConfigError} when there is no model to ask */
export async function runWorker(config: Config): Promise<void> {
  if (!config.provider.baseUrl && !config.provider.apiKey) {
    throw new ConfigError([
      'OPENAI_BASE_URL and OPENAI_API_KEY are both unset, so a worker has no model to ask: set one (only `turnkeep dev` brings a demo model)',
    ]);
  }
  await runRole(config, 'worker', ({ metricsPort }) => {
    print(`turnkeep worker polls ${config.taskQueue} in namespace ${config.temporal.namespace}`);
    if (metricsPort !== undefined) print(`turnkeep worker serves its metrics on port ${metricsPort}`);
  });
}

type Running = Parameters<RolesOptions['onReady']>[0] & Pick<RolesOptions, 'log'>;

async function runRole(config: Config, role: 'gateway' | 'worker', onReady: (running: Running) => void): Promise<void> {
  const log = startLogging(config.logLevel ?? 'info');
  const signal = onStopSignal((line) => log.info(line));
  const connection = await connectTemporal(await temporalServerOf(config, log, signal), log, signal);
  await runRoles({
    config,
    connection,
    log,
    hasWorker: role === 'worker',
    hasGateway: role === 'gateway',
    signal,
    onReady: (running) => onReady({ ...running, log }),
  });
}

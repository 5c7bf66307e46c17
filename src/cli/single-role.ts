/**
 * `turnkeep serve` (a replica: gateway and worker), `turnkeep gateway` (the HTTP API alone) and `turnkeep worker` (runs turns
 * and nothing else): any number of all three against one Temporal namespace and one database.
 */
import { ConfigError, type Config } from '../config/config.ts';
import { defaultLogLevel } from './flags.ts';
import { startLogging } from './logging.ts';
import { openDataDir } from './open-data-dir.ts';
import { type RolesOptions, runRoles } from './start-roles.ts';
import { onStopSignal } from './stop-signal.ts';
import { connectTemporal, temporalServerOf } from './temporal-connection.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

export async function runGateway(config: Config): Promise<void> {
  await runRole(config, 'gateway', ({ log, gatewayUrl }) => {
    log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
    print(`turnkeep gateway listens on ${gatewayUrl}`);
  });
}

/** @throws {ConfigError} when there is no model to ask */
export async function runServe(config: Config): Promise<void> {
  requireModel(config, 'serve');
  await runRole(config, 'serve', ({ log, gatewayUrl }) => {
    log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
    print(`turnkeep serve listens on ${gatewayUrl} and polls ${config.taskQueue} in namespace ${config.temporal.namespace}`);
  });
}

/** @throws {ConfigError} when there is no model to ask */
export async function runWorker(config: Config): Promise<void> {
  requireModel(config, 'worker');
  await runRole(config, 'worker', ({ metricsPort }) => {
    print(`turnkeep worker polls ${config.taskQueue} in namespace ${config.temporal.namespace}`);
    if (metricsPort !== undefined) print(`turnkeep worker serves its metrics on port ${metricsPort}`);
  });
}

function requireModel({ provider }: Config, command: string): void {
  if (provider.baseUrl || provider.apiKey) return;
  throw new ConfigError([
    `OPENAI_BASE_URL and OPENAI_API_KEY are both unset, so \`turnkeep ${command}\` has no model to ask: set one (only \`turnkeep dev\` brings a demo model)`,
  ]);
}

type Running = Parameters<RolesOptions['onReady']>[0] & Pick<RolesOptions, 'log'>;

async function runRole(config: Config, role: 'gateway' | 'worker' | 'serve', onReady: (running: Running) => void): Promise<void> {
  const log = startLogging(config.logLevel ?? defaultLogLevel[role]);
  for (const notice of await openDataDir(config)) log.warn(notice);
  const signal = onStopSignal((line) => log.info(line));
  const connection = await connectTemporal(await temporalServerOf(config, log, signal), log, signal);
  await runRoles({
    config,
    connection,
    log,
    hasWorker: role !== 'gateway',
    hasGateway: role !== 'worker',
    signal,
    onReady: (running) => onReady({ ...running, log }),
  });
}

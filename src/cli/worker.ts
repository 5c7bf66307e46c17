/** `turnkeep worker`: runs turns and nothing else; any number of them against one Temporal namespace and one database. */
import { ConfigError, type Config } from '../config/config.ts';
import { startLogging } from './logging.ts';
import { onStopSignal, runRoles } from './start-roles.ts';
import { connectTemporal, temporalServerOf } from './temporal-connection.ts';

export async function runWorker(config: Config): Promise<void> {
  if (!config.provider.baseUrl && !config.provider.apiKey) {
    throw new ConfigError([
      'OPENAI_BASE_URL and OPENAI_API_KEY are both unset, so a worker has no model to ask: set one (only `turnkeep dev` brings a demo model)',
    ]);
  }
  const log = startLogging(config.logLevel ?? 'info');
  const signal = onStopSignal((line) => log.info(line));
  const connection = await connectTemporal(await temporalServerOf(config, log, signal), log, signal);
  await runRoles({
    config,
    connection,
    log,
    hasWorker: true,
    hasGateway: false,
    signal,
    onReady: ({ metricsPort }) => {
      process.stdout.write(`turnkeep worker polls ${config.taskQueue} in namespace ${config.temporal.namespace}\n`);
      if (metricsPort !== undefined) process.stdout.write(`turnkeep worker serves its metrics on port ${metricsPort}\n`);
    },
  });
}

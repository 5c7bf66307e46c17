/** `turnkeep gateway`: the HTTP API alone; any number of them against one Temporal namespace and one database. */
import type { Config } from '../config/config.ts';
import { startLogging } from './logging.ts';
import { onStopSignal, runRoles } from './start-roles.ts';
import { connectTemporal, temporalServerOf } from './temporal-connection.ts';

export async function runGateway(config: Config): Promise<void> {
  const log = startLogging(config.logLevel ?? 'info');
  const signal = onStopSignal((line) => log.info(line));
  const connection = await connectTemporal(await temporalServerOf(config, log, signal), log, signal);
  await runRoles({
    config,
    connection,
    log,
    hasWorker: false,
    hasGateway: true,
    signal,
    onReady: ({ gatewayUrl }) => {
      log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
      process.stdout.write(`turnkeep gateway listens on ${gatewayUrl}\n`);
    },
  });
}

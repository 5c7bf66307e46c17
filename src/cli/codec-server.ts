/** `turnkeep codec-server`: for Temporal's UI and command line, where `TURNKEEP_CODEC_KEYS` encrypts histories. */
import { readCodecServerConfig } from '../config/codec-server-config.ts';
import { startCodecServer } from '../roles/codec-server.ts';
import { startLogging } from './logging.ts';
import { explainListening } from './start-error.ts';
import { onStopSignal, untilAborted } from './stop-signal.ts';

export interface CodecServerFlags {
  readonly host?: string;
  readonly port?: string;
  readonly corsOrigins?: string;
}

/** Resolves once it has been stopped by a signal. @throws {ConfigError}, or a StartError when it cannot listen */
export async function runCodecServer({ host, port, corsOrigins }: CodecServerFlags): Promise<void> {
  const config = readCodecServerConfig({ env: process.env, flags: { host, port, 'cors-origins': corsOrigins } });
  const log = startLogging(config.logLevel ?? 'info');
  const signal = onStopSignal((line) => log.info(line));
  const server = await startCodecServer({ config, log }).catch((error: unknown) => {
    throw explainListening(error, config);
  });
  process.stdout.write(`turnkeep codec-server listens on ${server.url}\n`);
  await untilAborted(signal);
  await server.close();
}

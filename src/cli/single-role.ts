/**
 * `turnkeep serve` (a replica: gateway and worker), `turnkeep gateway` (the HTTP API alone) and `turnkeep worker` (runs turns
 * and nothing else): any number of all three against one Temporal namespace and one database.
 */
import { ConfigError, type Config } from '../config/config.ts';
import type { LoadedAgents } from '../config/load-agent-config.ts';
import { defaultLogLevel } from './flags.ts';
import { startLogging } from './logging.ts';
import { openDataDir } from './open-data-dir.ts';
import { type RolesOptions, runRoles } from './start-roles.ts';
import { onStopSignal } from './stop-signal.ts';
import { connectTemporal, temporalServerOf } from './temporal-connection.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

export async function runGateway(config: Config, agents?: LoadedAgents): Promise<void> {
  await runRole(config, agents, 'gateway', ({ log, gatewayUrl }) => {
    log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
    print(`turnkeep gateway listens on ${gatewayUrl}`);
  });
}

/** @throws {ConfigError} when there is no model to ask */
export async function runServe(config: Config, agents?: LoadedAgents): Promise<void> {
  requireModel(config, agents, 'serve');
  await runRole(config, agents, 'serve', ({ log, gatewayUrl }) => {
    log.info({ url: gatewayUrl, dataDir: config.dataDir }, 'gateway listens');
    print(`turnkeep serve listens on ${gatewayUrl} and polls ${config.taskQueue} in namespace ${config.temporal.namespace}`);
  });
}

/** @throws {ConfigError} when there is no model to ask */
export async function runWorker(config: Config, agents?: LoadedAgents): Promise<void> {
  requireModel(config, agents, 'worker');
  await runRole(config, agents, 'worker', ({ metricsPort }) => {
    print(`turnkeep worker polls ${config.taskQueue} in namespace ${config.temporal.namespace}`);
    if (metricsPort !== undefined) print(`turnkeep worker serves its metrics on port ${metricsPort}`);
  });
}

/** The environment's provider is asked for what names no other: by requests without an agent, where there is no agent at all. */
function requireModel({ provider }: Config, loaded: LoadedAgents | undefined, command: string): void {
  if (provider.baseUrl || provider.apiKey) return;
  const asking = [...(loaded?.agents.agents.values() ?? [])].filter((agent) => agent.provider === 'default').map(({ name }) => name);
  if (asking.length === 0 && loaded !== undefined && loaded.agents.agents.size > 0) return;
  const who =
    asking.length === 0
      ? `\`turnkeep ${command}\` has`
      : `the agent${asking.length === 1 ? '' : 's'} ${asking.join(', ')} of the configuration ${asking.length === 1 ? 'has' : 'have'}`;
  throw new ConfigError([
    `OPENAI_BASE_URL and OPENAI_API_KEY are both unset, so ${who} no model to ask: set one (only \`turnkeep dev\` brings a demo model)`,
  ]);
}

type Running = Parameters<RolesOptions['onReady']>[0] & Pick<RolesOptions, 'log'>;

async function runRole(
  config: Config,
  loaded: LoadedAgents | undefined,
  role: 'gateway' | 'worker' | 'serve',
  onReady: (running: Running) => void,
): Promise<void> {
  const log = startLogging(config.logLevel ?? defaultLogLevel[role]);
  for (const notice of await openDataDir(config)) log.warn(notice);
  const signal = onStopSignal((line) => log.info(line));
  const connection = await connectTemporal(await temporalServerOf(config, log, signal), log, signal);
  await runRoles({
    config,
    agents: loaded?.agents,
    connection,
    log,
    hasWorker: role !== 'gateway',
    hasGateway: role !== 'worker',
    signal,
    onReady: (running) => onReady({ ...running, log }),
  });
}

/** `turnkeep dev`: Temporal's dev server, worker and gateway, all in one, for one person's machine. */
import { join } from 'node:path';
import type { WriteStream } from 'node:tty';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { LoadedAgents } from '../config/load-agent-config.ts';
import { startDemoModel } from '../testing/demo-model.ts';
import { claimDataDir, type DevRecord } from './dev-server/data-dir.ts';
import { findTemporalProgram } from './dev-server/find.ts';
import type { OnProgress } from './dev-server/release.ts';
import { startDevServer, type DevServer } from './dev-server/start.ts';
import { defaultLogLevel } from './flags.ts';
import { ignoreOutputErrors } from './log-destination.ts';
import { openDataDir } from './open-data-dir.ts';
import { onStopSignal } from './stop-signal.ts';
import { turnLine, webhookLine } from './turn-line.ts';

const secondsPerDay = 86_400;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

export async function runDev(config: Config, loaded?: LoadedAgents): Promise<void> {
  const notices = await openDataDir(config);
  const claim = claimDataDir(config.dataDir);
  const notice = new Notices();
  for (const each of notices) notice.tell(each);
  ignoreOutputErrors();
  const signal = onStopSignal(print);
  let record: DevRecord = {
    pid: process.pid,
    namespace: config.temporal.namespace,
    taskQueue: config.taskQueue,
    ...(claim.previous?.ports ? { ports: claim.previous.ports } : {}),
  };
  claim.write(record);
  const update = (fields: Partial<DevRecord>) => claim.write((record = { ...record, ...fields }));

  let server: DevServer | undefined;
  let demo: Awaited<ReturnType<typeof startDemoModel>> | undefined;
  try {
    if (config.temporal.address === undefined) {
      const program = await findProgram(config, signal);
      const { promise: spawned, resolve: onSpawned } = Promise.withResolvers<void>();
      const starting = startTemporal(program, config, record, { signal, onSpawned, notice });
      await Promise.race([spawned, starting]);
      // Holds up this process as long as the server takes to start.
      await loadRoles();
      server = await starting;
      const { address, port, uiPort, uiUrl } = server;
      update({
        temporalAddress: address,
        ports: { port, ...(uiPort === undefined ? {} : { uiPort }) },
        ...(uiUrl === undefined ? {} : { uiUrl }),
      });
    } else {
      update({ temporalAddress: config.temporal.address });
    }
    const isDemo = !config.provider.baseUrl && !config.provider.apiKey;
    if (isDemo) demo = await startDemoModel();

    const { startLogging, connectTemporal, runRoles } = await loadRoles();
    const log = startLogging(config.logLevel ?? defaultLogLevel.dev);
    notice.tellIn(log);
    const connection = await connectTemporal(server ? { address: server.address } : (config.temporal.connection ?? {}), log, signal);
    if (server !== undefined) await keepRuns(connection, config);
    await runRoles({
      config: demo ? { ...config, provider: { baseUrl: demo.baseUrl, api: 'chat', model: 'demo' } } : config,
      agents: loaded?.agents,
      connection,
      log,
      hasWorker: true,
      hasGateway: true,
      signal,
      temporalUi: server?.uiUrl === undefined ? undefined : `${server.uiUrl}/namespaces/${config.temporal.namespace}`,
      // For a person one line a turn; for a program the log's.
      onNotice: process.stdout.isTTY ? (sentence) => notice.tell(sentence) : undefined,
      onTurnEnd: process.stdout.isTTY ? (turn) => print(turnLine(turn, process.stdout)) : undefined,
      onWebhook: process.stdout.isTTY ? (report) => print(webhookLine(report, process.stdout)) : undefined,
      onReady: ({ gatewayUrl = '' }) => {
        update({ baseUrl: `${gatewayUrl}/v1` });
        print('turnkeep is ready');
        print(`  API       ${gatewayUrl}/v1`);
        print(`  Page      ${gatewayUrl}/`);
        print(
          server
            ? `  Temporal  ${server.uiUrl} (the server itself: ${server.address})`
            : `  Temporal  ${config.temporal.address}, namespace ${config.temporal.namespace}`,
        );
        print(`  Data      ${config.dataDir}`);
        print(
          isDemo
            ? '  Model     a demo; OPENAI_BASE_URL or OPENAI_API_KEY sets a real one'
            : `  Model     ${config.provider.baseUrl ?? "OpenAI's"}${config.provider.model ? `, ${config.provider.model}` : ''} (${config.provider.api})`,
        );
        const agents = [...(loaded?.agents.agents.keys() ?? [])];
        if (agents.length > 0) print(`  Agents    ${agents.join(', ')}`);
        print('Ctrl-C stops it.');
      },
    });
  } finally {
    await demo?.close();
    await server?.stop();
    claim.release();
  }
}

/** What an operator should see: a line for a person at a terminal, elsewhere a warning in the log, once there is one. */
class Notices {
  #log: Pick<Logger, 'warn'> | undefined;
  readonly #early: string[] = [];

  tell(sentence: string): void {
    if (process.stdout.isTTY) print(`! ${sentence}`);
    else if (this.#log === undefined) this.#early.push(sentence);
    else this.#log.warn(sentence);
  }

  tellIn(log: Pick<Logger, 'warn'>): void {
    this.#log = log;
    for (const sentence of this.#early.splice(0)) this.tell(sentence);
  }
}

/** What stands on Temporal's SDK. */
async function loadRoles() {
  const [{ startLogging }, { connectTemporal }, { runRoles }] = await Promise.all([
    import('./logging.ts'),
    import('./temporal-connection.ts'),
    import('./start-roles.ts'),
  ]);
  return { startLogging, connectTemporal, runRoles };
}

async function findProgram(config: Config, signal: AbortSignal): Promise<string> {
  const progress = showProgress(process.stdout);
  const { cli } = config.temporal;
  const { path } = await findTemporalProgram({
    dataDir: config.dataDir,
    env: process.env,
    onNotice: print,
    onProgress: progress,
    signal,
    ...(cli === undefined ? {} : { cli }),
  });
  return path;
}

function startTemporal(
  program: string,
  config: Config,
  { ports }: DevRecord,
  { notice, ...more }: { readonly signal: AbortSignal; readonly onSpawned: () => void; readonly notice: Notices },
): Promise<DevServer> {
  return startDevServer({
    program,
    namespace: config.temporal.namespace,
    databasePath: join(config.dataDir, 'temporal.db'),
    logPath: join(config.dataDir, 'temporal.log'),
    ...(ports ? { preferredPorts: { port: ports.port, ...(ports.uiPort === undefined ? {} : { uiPort: ports.uiPort }) } } : {}),
    onLost: ({ type, reason }) =>
      notice.tell(type === 'lost' ? `Temporal's dev server is gone (${reason}). Starting it again.` : "Temporal's dev server runs again."),
    ...more,
  });
}

/** The runs of the dev server's own namespace are kept as long as the turns; without this, a day. */
async function keepRuns(connection: NativeConnection, { temporal: { namespace }, retentionDays }: Config): Promise<void> {
  const { default: proto } = await import('@temporalio/proto');
  const workflowExecutionRetentionTtl = proto.google.protobuf.Duration.fromObject({ seconds: retentionDays * secondsPerDay });
  await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
}

/** How far a download is: one line that changes on a terminal, a line every quarter elsewhere. */
function showProgress(out: Pick<WriteStream, 'isTTY' | 'write'>): OnProgress {
  let shown = -1;
  return (received, total) => {
    const percent = Math.min(100, Math.floor((received / total) * 100));
    const step = out.isTTY ? percent : Math.floor(percent / 25) * 25;
    if (step <= shown) return;
    shown = step;
    const line = `  ${step} % of ${Math.round(total / 1_000_000)} MB`;
    out.write(out.isTTY ? `\r${line}${step === 100 ? '\n' : ''}` : `${line}\n`);
  };
}

/** Is Temporal as turnkeep needs it? Nothing is asked that writes anything; one poll is made, of a task queue that nobody else has. */
import { Client, isGrpcServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { temporal } from '@temporalio/proto';
import type { Config } from '../../config/config.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';
import { readSdkVersion } from './versions.ts';
import { lookAtQueues } from './workers.ts';
import { lookAtCodec } from './codec.ts';
import { lookAtClock } from './temporal-clock.ts';

/** What the looks share. */
export interface TemporalLook {
  readonly config: Config;
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly namespace: string;
  /** Which server and namespace a command of `temporal` is about. */
  readonly commandFlags: string;
  /** A call, which throws where it has no answer in time. */
  readonly ask: <T>(call: (service: NativeConnection['workflowService']) => Promise<T>) => Promise<T>;
}

const answerWithinMs = 6_000;
const dayMs = 86_400_000;

/** gRPC's number of INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED and UNAUTHENTICATED. */
const notFound = 5;
const denied: ReadonlySet<number> = new Set([7, 16]);

/** @param address as it was given, for the messages */
export async function lookAtTemporal(config: Config, connection: NativeConnection, address: string): Promise<readonly Finding[]> {
  const { namespace } = config.temporal;
  const client = new Client({ connection, namespace });
  const look: TemporalLook = {
    config,
    connection,
    client,
    namespace,
    commandFlags: `--address ${address} -n ${namespace}`,
    ask: (call) => connection.withDeadline(Date.now() + answerWithinMs, () => call(connection.workflowService)),
  };
  const server = await lookAtServer(look, address);
  const described = await describeNamespace(look);
  if ('status' in described) return [server, described];
  const rest = [lookAtQueues, lookAtClock, lookAtCodec].map(async (each) =>
    each(look).catch((error: unknown): readonly Finding[] => [
      { check: 'temporal', status: 'fault', seen: messageOf(error), mend: mendNamespace(look) },
    ]),
  );
  return [server, ...lookAtNamespace(look, described), ...(await Promise.all(rest)).flat()];
}

async function lookAtServer({ ask }: TemporalLook, address: string): Promise<Finding> {
  const check = 'temporal';
  const startedAt = performance.now();
  const { serverVersion } = await ask((service) => service.getSystemInfo({}));
  const tookMs = Math.round(performance.now() - startedAt);
  // Temporal Cloud has it not for everybody.
  const cluster = await ask((service) => service.getClusterInfo({})).catch(() => undefined);
  const own =
    cluster === undefined
      ? ''
      : `, ${cluster.persistenceStore}, ${cluster.historyShardCount} shard${cluster.historyShardCount === 1 ? '' : 's'}`;
  const sdk = readSdkVersion();
  const seen = `${address} answers in ${tookMs} ms: server ${serverVersion}${own}; this SDK is ${sdk}`;
  const range = cluster?.supportedClients?.['temporal-typescript'];
  const [, below = ''] = /^<(\d+)\./.exec(range ?? '') ?? [];
  if (below !== '' && Number(sdk.split('.')[0]) >= Number(below)) {
    return { check, status: 'fault', seen: `${seen}, and the server takes ${range}`, mend: "bring Temporal's server to a newer version" };
  }
  return { check, status: 'ok', seen };
}

type Namespace = temporal.api.workflowservice.v1.IDescribeNamespaceResponse;

async function describeNamespace(look: TemporalLook): Promise<Namespace | Finding> {
  const { ask, namespace } = look;
  const check = 'namespace';
  try {
    return await ask((service) => service.describeNamespace({ namespace }));
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    const code: number = error.code;
    if (denied.has(code)) return { check, status: 'fault', seen: `${namespace}: ${messageOf(error)}`, mend: mendKey };
    const seen = code === notFound ? `there is no namespace ${namespace}` : `${namespace}: ${messageOf(error)}`;
    return { check, status: 'fault', seen, mend: mendNamespace(look) };
  }
}

const mendKey =
  'the key or the certificate is not for this namespace: see TEMPORAL_API_KEY, TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_PROFILE';

function mendNamespace({ commandFlags }: TemporalLook): string {
  return `name one that there is with TEMPORAL_NAMESPACE, or make it: temporal operator namespace create ${commandFlags} --retention 30d`;
}

function lookAtNamespace(
  { namespace, config, commandFlags }: TemporalLook,
  { namespaceInfo, config: settings }: Namespace,
): readonly Finding[] {
  const { retentionDays } = config;
  const days = (Number(settings?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1_000) / dayMs;
  const kept = `${namespace} keeps the histories of ended runs for ${Number(days.toFixed(1))} days`;
  const mend = `temporal operator namespace update ${commandFlags} --retention ${retentionDays}d, or be content: replay and export of older turns go without`;
  const retention: Finding =
    days >= retentionDays
      ? { check: 'namespace', status: 'ok', seen: kept }
      : {
          check: 'namespace',
          status: 'warning',
          seen: `${kept}, and turnkeep its turns for ${retentionDays} (TURNKEEP_RETENTION_DAYS)`,
          mend,
        };
  const push: Finding =
    namespaceInfo?.capabilities?.workerCommands === true
      ? {
          check: 'push of cancels',
          status: 'ok',
          seen: 'frontend.WorkerCommandsEnabled is on; the other one that it needs cannot be seen (below)',
        }
      : {
          check: 'push of cancels',
          status: 'warning',
          seen: 'frontend.WorkerCommandsEnabled is off: a cancel reaches a stream with the next heartbeat (1.2 s) instead of at once',
          mend: 'set frontend.WorkerCommandsEnabled and system.enableCancelActivityWorkerCommand to true in the dynamic configuration of the server, where it is your own',
        };
  const unseen =
    'system.enableCancelActivityWorkerCommand, history.*ProcessorMaxPollRPS and history.workflowIdReuseMinimalInterval cannot be seen from here';
  return [retention, push, { check: 'dynamic config', status: 'unknown', seen: `${unseen}: what they are to be is in docs/operations.md` }];
}

/** Without what the SDK appends to it. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/: Status \{.*/s, '') : String(error);
}

/** The cluster of `npm run cluster` with a model and clients of the bench: each a process of its own. */
import type { Client as TemporalClient } from '@temporalio/client';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { type Cluster, type ClusterOptions, startCluster } from '../../test/support/cluster/start.ts';
import { Child } from '../support/child.ts';
import type { Target } from './clients.ts';

export interface ClusterRig extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly model: Child;
  readonly modelUrl: string;
  readonly clients: Child;
  /** Its gateways, past nginx. */
  readonly target: Target;
  readonly temporal: TemporalClient;
  /** Undefined with SQLite. */
  readonly database: pg.Client | undefined;
}

/** The settings of the compose file, but for the limits of a tenant: here one tenant is all of them. */
const env = {
  TURNKEEP_MODEL: 'scripted',
  OPENAI_API_KEY: 'none',
  TURNKEEP_MAX_RUNNING_TURNS: '100000',
  LOG_LEVEL: 'error',
};

export async function startClusterRig(
  options: Pick<ClusterOptions, 'replicas' | 'gateways' | 'workers' | 'database'>,
  shared: { readonly model?: Child; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ClusterRig> {
  const stack = new AsyncDisposableStack();
  try {
    const model = shared.model ?? stack.use(new Child('cluster/model.ts'));
    const modelUrl = await model.call<string>('start');
    const clients = stack.use(new Child('cluster/clients.ts'));
    const cluster = stack.use(await startCluster({ ...options, env: { ...env, ...shared.env, OPENAI_BASE_URL: modelUrl } }));
    const connection = await Connection.connect({ address: cluster.temporalAddress });
    stack.defer(() => connection.close());
    const database = options.database === 'sqlite' ? undefined : new pg.Client({ connectionString: cluster.databaseUrl });
    if (database !== undefined) {
      await database.connect();
      stack.defer(() => database.end());
    }
    const moved = stack.move();
    return {
      cluster,
      model,
      modelUrl,
      clients,
      target: { urls: [...cluster.replicas, ...cluster.gateways].map(({ url }) => url), apiKey: cluster.apiKey },
      temporal: new Client({ connection }),
      database,
      [Symbol.asyncDispose]: () => moved.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

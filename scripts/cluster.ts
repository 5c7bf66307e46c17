/**
 * The cluster of `docker-compose.yml` on this machine, without Docker: real Postgres, nginx and processes of turnkeep, with
 * Temporal's dev server in the place of its server. Ctrl-C drains and stops it, a second one kills it.
 *
 *     npm run cluster -- [--replicas 2] [--workers 1] [--gateways 0] [--port 8484] [--data-dir DIR] [--database postgres|sqlite]
 *
 * Port 0 picks a free one.
 *
 * Settings come from the environment, as they would from `.env`: OPENAI_BASE_URL and OPENAI_API_KEY for a real model, any TURNKEEP_….
 */
import { parseArgs } from 'node:util';
import { settings } from '../src/config/settings.ts';
import { startCluster } from '../test/support/cluster/start.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    replicas: { type: 'string' },
    workers: { type: 'string' },
    gateways: { type: 'string' },
    port: { type: 'string', default: '8484' },
    'data-dir': { type: 'string' },
    database: { type: 'string', default: 'postgres' },
  },
});

/** @throws when a flag is no whole number */
function count(name: 'replicas' | 'workers' | 'gateways'): { readonly [name: string]: number } {
  const given = values[name];
  if (given === undefined) return {};
  if (!/^\d{1,3}$/.test(given)) throw new Error(`--${name} must be a whole number from 0 to 999; it is "${given}"`);
  return { [name]: Number(given) };
}

const { database, port } = values;
if (database !== 'postgres' && database !== 'sqlite') throw new Error(`--database must be postgres or sqlite; it is "${database}"`);
const env = Object.fromEntries(settings.flatMap(({ env: name }) => (process.env[name] ? [[name, process.env[name]]] : [])));

const cluster = await startCluster({
  ...count('replicas'),
  ...count('workers'),
  ...count('gateways'),
  ...(port === '0' ? {} : { port: Number(port) }),
  database,
  env,
  ...(values['data-dir'] === undefined ? {} : { dataDir: values['data-dir'] }),
});
print('the cluster is ready');
print(`  API       ${cluster.url}/v1, by nginx; its key: ${cluster.apiKey}`);
print(`  Replicas  ${[...cluster.replicas, ...cluster.gateways].map(({ name, url }) => `${name} ${url}`).join(', ')}`);
print(`  Temporal  ${cluster.temporalAddress}, namespace default`);
print(`  Database  ${cluster.databaseUrl}`);
print(`  Data      ${cluster.dataDir}, a log of each process too`);
print(`  Processes ${cluster.processes.map(({ name, pid }) => `${name} ${pid}`).join(', ')}`);
print('Ctrl-C stops it.');

let isStopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (isStopping) process.exit(130);
    isStopping = true;
    print('stopping: running streams may end; once more kills it');
    void cluster.stop().then(() => process.exit(0));
  });
}

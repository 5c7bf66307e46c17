/** Is the Postgres of a deployment as it should be? For `turnkeep doctor`. */
import pg from 'pg';
import type { Diagnose, Finding } from '../ports/diagnosis.ts';
import { lookAtConnections, lookAtNotifications, lookAtPartitions, lookAtReplicas, lookAtSettings } from './diagnose-server.ts';
import { migrations } from './migrations.ts';
import { clientConfig, type PostgresOptions, readPostgresOptions } from './options.ts';

/** The rows of a statement. */
export type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Leases are seconds, by the database's clock; dates of logs and of providers are to fit. */
const clockWarnMs = 1_000;
const clockFaultMs = 30_000;

/** See `Diagnose`. */
export function diagnosePostgres(options: PostgresOptions): Diagnose {
  return async () => {
    const settings = readPostgresOptions(options);
    const client = new pg.Client(clientConfig(settings));
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      return [{ check: 'database', status: 'fault', ...connectionProblem(error) }];
    }
    try {
      const ask: Ask = async (sql) => (await client.query<Record<string, unknown>>(sql)).rows;
      return await lookAtAll(ask, settings.schema);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
}

async function lookAtAll(ask: Ask, schema: string): Promise<readonly Finding[]> {
  const server = await lookAtServer(ask);
  if (server.status === 'fault') return [server];
  const looks: readonly (readonly [check: string, look: (ask: Ask, schema: string) => Promise<readonly Finding[]>])[] = [
    ['database schema', lookAtSchema],
    ['database writes', lookAtWrites],
    ['database partitions', lookAtPartitions],
    ['notification queue', lookAtNotifications],
    ['database connections', lookAtConnections],
    ['database settings', lookAtSettings],
    ['database replicas', lookAtReplicas],
    ['database clock', lookAtClock],
  ];
  const found: Finding[] = [server];
  // One after the other, on one connection.
  for (const [check, look] of looks) {
    found.push(
      ...(await look(ask, schema).catch((error: unknown): readonly Finding[] => [{ check, status: 'unknown', seen: messageOf(error) }])),
    );
  }
  return found;
}

async function lookAtServer(ask: Ask): Promise<Finding> {
  const [row] = await ask(`SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby,
    pg_database_size(current_database()) AS bytes, current_database() AS name`);
  const megabytes = Math.round(Number(row?.['bytes']) / 1_000_000);
  const seen = `Postgres ${String(row?.['version'])}, ${String(row?.['name'])}, ${megabytes} MB; the free space of its disk cannot be seen from here`;
  if (row?.['standby'] !== 1) return { check: 'database', status: 'ok', seen };
  const mend = 'name the primary in DATABASE_URL: an address that follows it, or several hosts with target_session_attrs';
  return { check: 'database', status: 'fault', seen: `${seen}; it is a standby, which takes no writes`, mend };
}

async function lookAtSchema(ask: Ask, schema: string): Promise<readonly Finding[]> {
  const check = 'database schema';
  const [there] = await ask(`SELECT to_regclass('${schema}.meta') IS NOT NULL AS made`);
  if (there?.['made'] !== 1) {
    return [
      {
        check,
        status: 'warning',
        seen: 'there are no tables yet',
        mend: '`turnkeep migrate`, or start a process: the first one makes them',
      },
    ];
  }
  const rows = await ask(`SELECT name, value FROM ${schema}.meta WHERE name IN ('schema', 'oldest_reader')`);
  const valueOf = (name: string): number => Number(rows.find((row) => row['name'] === name)?.['value']);
  const [version, oldestReader] = [valueOf('schema'), valueOf('oldest_reader')];
  const seen = `${version}, and this version of turnkeep has ${migrations.length}`;
  if (oldestReader > migrations.length) {
    const mend = 'the database is of a newer turnkeep, which this version cannot use: start that one, or restore a backup from before';
    return [{ check, status: 'fault', seen, mend }];
  }
  if (version < migrations.length)
    return [{ check, status: 'warning', seen, mend: '`turnkeep migrate`, or start a process of this version' }];
  return [{ check, status: 'ok', seen: version === migrations.length ? String(version) : `${seen}, which can use it` }];
}

/** A change that changes nothing, and is written all the same. */
async function lookAtWrites(ask: Ask, schema: string): Promise<readonly Finding[]> {
  const check = 'database writes';
  const startedAt = performance.now();
  try {
    await ask(`UPDATE ${schema}.meta SET value = value WHERE name = 'database'`);
    return [{ check, status: 'ok', seen: `a write took ${Math.round(performance.now() - startedAt)} ms` }];
  } catch (error) {
    // There are no tables yet.
    if (codeOf(error) === '42P01') return [];
    const mend = 'see its log: a full disk, a role without rights (GRANT), default_transaction_read_only';
    return [{ check, status: 'fault', seen: `it cannot be written: ${messageOf(error)}`, mend }];
  }
}

async function lookAtClock(ask: Ask): Promise<readonly Finding[]> {
  const check = 'database clock';
  const sentAtMs = Date.now();
  const [row] = await ask('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS at');
  const answeredAtMs = Date.now();
  const atMs = Number(row?.['at']);
  const apartMs = Math.max(0, sentAtMs - atMs, atMs - answeredAtMs);
  if (apartMs < clockWarnMs) return [{ check, status: 'ok', seen: `it is this machine's, to ${Math.ceil(apartMs / 10) * 10} ms` }];
  const seen = `it is ${(apartMs / 1_000).toFixed(1)} s ${atMs > answeredAtMs ? 'ahead of' : 'behind'} this machine's`;
  const mend = 'set both by NTP (`timedatectl status`, `chronyc tracking`)';
  return [{ check, status: apartMs < clockFaultMs ? 'warning' : 'fault', seen, mend }];
}

const mends: { readonly [code: string]: string } = {
  '28P01': 'the password is not right: see DATABASE_URL',
  '28000': 'the role may not connect so: see DATABASE_URL (sslmode), and pg_hba.conf of the server',
  '3D000': 'there is no such database: createdb -E UTF8, or name another in DATABASE_URL',
  '53300': 'it has no connection left: raise max_connections, lower DATABASE_POOL_SIZE, or put PgBouncer in between',
  '57P03': 'it starts, or recovers: wait, and see its log',
  ENOTFOUND: 'its name is not known: see DATABASE_URL, and the name servers of this machine',
};

function connectionProblem(error: unknown): Pick<Finding, 'seen' | 'mend'> {
  const code = codeOf(error);
  const mend = mends[code] ?? 'see that Postgres runs, and that this machine reaches it at the address of DATABASE_URL';
  return { seen: `no connection: ${messageOf(error) || code}`, mend };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

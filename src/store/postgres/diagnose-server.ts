/** What a Postgres server has room for, and what it keeps: parts of `diagnosePostgres`. */
import type { Finding } from '../ports/diagnosis.ts';
import type { Ask } from './diagnose.ts';
import { partitionOf } from './partitions.ts';

const dayMs = 86_400_000;
/** Somebody makes them once a day, a week ahead. */
const warnAheadDays = 3;
const strayRowsAtMost = 10_000;
/** Of a transaction that does nothing: it holds back the vacuum, and the notification queue where it listens. */
const idleMinutes = 5;

/** Of the tables that have a partition for each day, by the names of these. */
export async function lookAtPartitions(ask: Ask, schema: string): Promise<readonly Finding[]> {
  const check = 'database partitions';
  const rows = await ask(`SELECT parent.relname AS parent, child.relname AS child FROM pg_inherits
    JOIN pg_class AS parent ON parent.oid = inhparent JOIN pg_class AS child ON child.oid = inhrelid
    WHERE parent.relkind = 'p' AND parent.relnamespace = to_regnamespace('${schema}')`);
  const parents = [...new Set(rows.map((row) => String(row['parent'])))];
  return (
    await Promise.all(
      parents.map(async (parent): Promise<readonly Finding[]> => {
        const children = new Set(rows.filter((row) => row['parent'] === parent).map((row) => String(row['child'])));
        const isThere = (ahead: number): boolean =>
          children.has(partitionOf(parent, new Date(Date.now() + ahead * dayMs).toISOString().slice(0, 10).replaceAll('-', '')));
        let ahead = 0;
        while (isThere(ahead + 1)) ahead += 1;
        const seen = `${parent} has ${children.size} partition${children.size === 1 ? '' : 's'}, for ${ahead} days ahead`;
        const mend = 'see the logs of gateways: one of them makes partitions, a week ahead; the start of one makes them too';
        const isFewer = ahead < warnAheadDays;
        const made: Finding = isFewer ? { check, status: ahead === 0 ? 'fault' : 'warning', seen, mend } : { check, status: 'ok', seen };
        return [made, ...(await lookAtStrays(ask, `${schema}.${parent}_default`, children.has(`${parent}_default`)))];
      }),
    )
  ).flat();
}

async function lookAtStrays(ask: Ask, table: string, isThere: boolean): Promise<readonly Finding[]> {
  if (!isThere) return [];
  const [row] = await ask(`SELECT count(*) AS rows FROM (SELECT 1 FROM ${table} LIMIT ${strayRowsAtMost}) AS stray`);
  const rows = Number(row?.['rows']);
  const check = 'default partition';
  if (rows === 0) return [{ check, status: 'ok', seen: `${table} is empty` }];
  const seen = `${table} has ${rows === strayRowsAtMost ? 'at least ' : ''}${rows} rows, which are deleted one by one instead of with their day`;
  return [
    {
      check,
      status: 'warning',
      seen,
      mend: 'partitions were made too late: those of today and later are moved when theirs are made, older ones go by retention',
    },
  ];
}

export async function lookAtNotifications(ask: Ask): Promise<readonly Finding[]> {
  const check = 'notification queue';
  const [row] = await ask('SELECT pg_notification_queue_usage() AS share');
  const share = Number(row?.['share']);
  const seen = `${(share * 100).toFixed(1)} % full`;
  if (share < 0.1) return [{ check, status: 'ok', seen }];
  const mend = `a session listens within a transaction that does not end: SELECT pid, application_name, xact_start FROM pg_stat_activity WHERE state = 'idle in transaction' ORDER BY 3; then pg_terminate_backend(pid)`;
  return [{ check, status: share < 0.5 ? 'warning' : 'fault', seen, mend }];
}

export async function lookAtConnections(ask: Ask): Promise<readonly Finding[]> {
  const check = 'database connections';
  const [row] = await ask(`SELECT count(*) AS used, count(*) FILTER (WHERE application_name = 'turnkeep') AS ours,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%' AND xact_start < now() - interval '${idleMinutes} minutes') AS idle,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS room
    FROM pg_stat_activity WHERE backend_type = 'client backend'`);
  const [used, ours, idle, room] = ['used', 'ours', 'idle', 'room'].map((name) => Number(row?.[name]));
  const share = (used ?? 0) / (room ?? 1);
  const seen = `${used} of ${room}, ${ours} of them turnkeep's`;
  const mend =
    'raise max_connections, lower DATABASE_POOL_SIZE, or put PgBouncer in between (DATABASE_LISTEN_URL names the server itself then)';
  const full: Finding = share < 0.8 ? { check, status: 'ok', seen } : { check, status: share < 0.95 ? 'warning' : 'fault', seen, mend };
  if (idle === 0) return [full];
  const held = `${idle} connections have done nothing in a transaction for ${idleMinutes} minutes: nothing that was deleted since can be freed`;
  return [
    full,
    {
      check: 'idle transactions',
      status: 'warning',
      seen: held,
      mend: 'find whose they are in pg_stat_activity, and end them: pg_terminate_backend(pid)',
    },
  ];
}

/** What turnkeep calls durable is on disk only where these are on. */
export async function lookAtSettings(ask: Ask): Promise<readonly Finding[]> {
  const check = 'database settings';
  const rows = await ask(`SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')`);
  const off = rows
    .filter((row) => row['setting'] === 'off')
    .map((row) => String(row['name']))
    .toSorted();
  if (off.length === 0) return [{ check, status: 'ok', seen: 'fsync, full_page_writes and synchronous_commit are on' }];
  const seen = `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off: a loss of power loses what was taken in${off.includes('synchronous_commit') && off.length === 1 ? '' : ', or the whole database'}`;
  return [
    {
      check,
      status: off.includes('fsync') ? 'fault' : 'warning',
      seen,
      mend: `set ${off.map((name) => `${name} = on`).join(', ')} in postgresql.conf`,
    },
  ];
}

export async function lookAtReplicas(ask: Ask): Promise<readonly Finding[]> {
  const check = 'database replicas';
  const rows = await ask(
    `SELECT coalesce(application_name, 'a standby') AS name, state, extract(epoch FROM replay_lag) AS lag FROM pg_stat_replication`,
  );
  const slots = await ask(
    `SELECT slot_name AS name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS behind FROM pg_replication_slots WHERE NOT active`,
  );
  const unused = slots.map((row): Finding => {
    const seen = `nobody reads the replication slot ${String(row['name'])}, which keeps ${Math.round(Number(row['behind'] ?? 0) / 1_000_000)} MB of the log so far`;
    return {
      check: 'replication slot',
      status: 'warning',
      seen,
      mend: 'let its standby come back, or drop it before the disk is full: pg_drop_replication_slot',
    };
  });
  if (rows.length === 0) return [{ check, status: 'ok', seen: 'none' }, ...unused];
  const longest = Math.max(...rows.map((row) => Number(row['lag'] ?? 0)));
  const seen = rows
    .map((row) => `${String(row['name'])} ${String(row['state'])}, ${Number(row['lag'] ?? 0).toFixed(1)} s behind`)
    .join('; ');
  const mend = 'a standby that is behind loses as much when it becomes the primary: see its disk, its network, and long reads on it';
  return [longest < 30 ? { check, status: 'ok', seen } : { check, status: 'warning', seen, mend }, ...unused];
}

/** How Postgres is reached: an address with settings of turnkeep's own in its query, and the limits of every connection. */
import type { ClientConfig, CustomTypesConfig } from 'pg';

export interface PostgresOptions {
  /**
   * `postgres://user:password@host:port/database`, with everything behind the question mark that `pg` takes (`sslmode`, `host` for a
   * socket's folder), and besides `schema`, `pgbouncer` and `prepare`, which stand for the options of the same names.
   */
  readonly url: string;
  /** Where the tables are; by default `public`. Lower-case letters, digits and underscores. */
  readonly schema?: string;
  /** Connections go through a pooler in transaction mode: nothing is set for longer than a transaction. */
  readonly pgbouncer?: boolean;
  /** Statements are prepared once on each connection. By default, unless there is a pooler; PgBouncer can from 1.21 on. */
  readonly prepare?: boolean;
  /** Connections at most; 10. */
  readonly poolSize?: number;
  /** How long a work waits for a connection, and before that behind others of its tenant, ms; 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long a statement may run, ms; 15,000. */
  readonly statementTimeoutMs?: number;
  /** How long a statement may wait for a lock, ms; 5,000. */
  readonly lockTimeoutMs?: number;
  /**
   * How long a transaction may do nothing, ms; 2,000. Of a process that stands still it is how long others wait for what it has
   * locked: less than they wait for a lock, and than a lease lasts. Where the process goes on, it does the transaction again.
   */
  readonly idleInTransactionTimeoutMs?: number;
  /** How long the driver asks what became of a commit whose answer was lost, ms; 60,000. */
  readonly outcomeTimeoutMs?: number;
}

/** All of them, as they are in force. */
export interface PostgresSettings extends Required<PostgresOptions> {
  /** Without the settings of our own. */
  readonly url: string;
  /** What the address asks of the server for each connection, as in `-c work_mem=8MB`. */
  readonly serverOptions: string | undefined;
}

/** Beyond the limit of a statement, at most: the server says itself that it is reached, where it can. */
const longestGraceMs = 5_000;

const keepAliveAfterMs = 10_000;

/** @throws where the address cannot be read */
export function readPostgresOptions(options: PostgresOptions): PostgresSettings {
  const { url, own } = splitUrl(options.url);
  const pgbouncer = options.pgbouncer ?? truthOf('pgbouncer', own) ?? false;
  const schema = options.schema ?? own.get('schema') ?? 'public';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new Error(`DATABASE_URL: schema=${schema} must be lower-case letters, digits and underscores, as in schema=turnkeep`);
  }
  return {
    poolSize: 10,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 15_000,
    lockTimeoutMs: 5_000,
    idleInTransactionTimeoutMs: 2_000,
    outcomeTimeoutMs: 60_000,
    ...options,
    url,
    serverOptions: own.get('options') ?? undefined,
    schema,
    pgbouncer,
    prepare: options.prepare ?? truthOf('prepare', own) ?? !pgbouncer,
  };
}

function splitUrl(url: string): { readonly url: string; readonly own: URLSearchParams } {
  if (!/^postgres(?:ql)?:\/\//.test(url)) throw new Error('DATABASE_URL must begin with postgres://, as in postgres://user@host/database');
  const [address = '', query = ''] = url.split('?', 2);
  const rest = new URLSearchParams(query);
  const own = new URLSearchParams();
  // `options` too: `pg` would take those of the address instead of ours.
  for (const name of ['schema', 'pgbouncer', 'prepare', 'options']) {
    const value = rest.get(name);
    if (value !== null) own.set(name, value);
    rest.delete(name);
  }
  return { url: rest.size === 0 ? address : `${address}?${rest.toString()}`, own };
}

function truthOf(name: string, own: URLSearchParams): boolean | undefined {
  const value = own.get(name);
  if (value === null) return undefined;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new Error(`DATABASE_URL: ${name}=${value} must be ${name}=true or ${name}=false`);
}

/** Of one connection, for `pg`. Behind a pooler the limits are set with each transaction: see `beginText`. */
export function clientConfig(settings: PostgresSettings): ClientConfig {
  return {
    connectionString: settings.url,
    application_name: 'turnkeep',
    connectionTimeoutMillis: settings.connectTimeoutMs,
    // Of a server that is gone without a word, the answer to a statement never comes.
    query_timeout: settings.statementTimeoutMs + Math.min(settings.statementTimeoutMs, longestGraceMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    // What need not wait for an answer is sent with what comes before it.
    pipeline: true,
    types,
    ...(settings.pgbouncer
      ? { options: settings.serverOptions }
      : {
          statement_timeout: settings.statementTimeoutMs,
          lock_timeout: settings.lockTimeoutMs,
          idle_in_transaction_session_timeout: settings.idleInTransactionTimeoutMs,
          // Of two the last one holds.
          options: `${settings.serverOptions ?? ''} -c search_path=${settings.schema}`.trim(),
        }),
  };
}

/** @param mode of the transaction, as in `READ ONLY` */
export function beginText({ pgbouncer, ...settings }: PostgresSettings, mode: string): string {
  const begin = `BEGIN ISOLATION LEVEL ${mode}`;
  if (!pgbouncer) return begin;
  return `${begin}; SET LOCAL search_path = ${settings.schema}; SET LOCAL statement_timeout = ${settings.statementTimeoutMs};
    SET LOCAL lock_timeout = ${settings.lockTimeoutMs}; SET LOCAL idle_in_transaction_session_timeout = ${settings.idleInTransactionTimeoutMs}`;
}

const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, (text) => (text === 't' ? 1 : 0)],
  // \x, and two digits a byte.
  [17, (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))],
  ...[20, 21, 23, 26].map((integer) => [integer, safeInteger] as const),
  ...[700, 701, 1_700].map((fraction) => [fraction, Number] as const),
]);

/** By the number of the type in Postgres; what is not in the table comes as text. */
const types: CustomTypesConfig = {
  // oxlint-disable-next-line typescript/no-explicit-any -- as `pg` has it
  getTypeParser: (type: number): any => parsers.get(type) ?? String,
};

/** @throws for one that a number cannot hold */
function safeInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new RangeError(`the database has ${text}, which a number cannot hold`);
  return number;
}

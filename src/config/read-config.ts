/**
 * The environment and the command line to one frozen object; every wrong value is reported at once, by name.
 * A flag is its variable in kebab case without `TURNKEEP_`, and overrides it. An empty string counts as unset.
 * No message repeats the value of a setting marked `isSecret`.
 */
import { isIPv4 } from 'node:net';
import { join, resolve } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { type Config, ConfigError } from './config.ts';
import { givenSettings, problemsOf } from './given-settings.ts';
import { apiOf, cannotReattach, sqlitePath } from './setting-values.ts';
import { table } from './settings.ts';
import { readTraces } from './trace-settings.ts';
import { readEndpoints } from './webhook-settings.ts';

export interface Sources {
  readonly env: { readonly [name: string]: string | undefined };
  /** By the flag's name without the dashes. */
  readonly flags?: { readonly [flag: string]: string | undefined };
  /** What relative paths are relative to. */
  readonly cwd?: string;
}

/**
 * @throws {ConfigError} that lists everything that is wrong
 * @example
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const config = readConfig({ env: process.env, flags: { port: '0' } });
 *     console.log(config.dataDir);
 */
export function readConfig({ env, flags = {}, cwd = process.cwd() }: Sources): Config {
  const { given, labels } = givenSettings({ env, flags });
  const parsed = table.safeParse(given);
  const problems = problemsOf(parsed.error, { given, labels });
  // Rules across settings are checked even when another value is wrong, so that nothing comes up one at a time.
  const host = given['TURNKEEP_HOST'] ?? '127.0.0.1';
  if (!isLoopback(host) && given['TURNKEEP_API_KEYS'] === undefined && given['TURNKEEP_REQUIRE_KEY'] !== 'on') {
    problems.push(
      `${labels['TURNKEEP_HOST']} is ${JSON.stringify(host)}, open to others, and there is no authentication: set TURNKEEP_API_KEYS to name:secret,…, or TURNKEEP_REQUIRE_KEY to on (keys by turnkeep keys), or TURNKEEP_HOST to 127.0.0.1`,
    );
  }
  const api = given['TURNKEEP_MODEL_API'] ?? apiOf(URL.parse(given['OPENAI_BASE_URL'] ?? '')?.href);
  if (given['TURNKEEP_REATTACH'] === 'on' && api === 'chat') problems.push(`${labels['TURNKEEP_REATTACH']} ${cannotReattach}`);
  const temporal = readTemporal(env, given, problems);
  const webhooks = readEndpoints(given, problems);
  const traces = readTraces(env, problems);
  if (parsed.data === undefined || problems.length > 0) throw new ConfigError(problems);

  const values = parsed.data;
  const dataDir = resolve(cwd, values.TURNKEEP_DATA_DIR);
  return deepFreeze({
    host: values.TURNKEEP_HOST,
    port: values.TURNKEEP_PORT,
    dataDir,
    databaseUrl: databaseUrlOf(values.DATABASE_URL, dataDir, cwd),
    postgres: { poolSize: values.DATABASE_POOL_SIZE, ...defined({ listenUrl: values.DATABASE_LISTEN_URL }) },
    taskQueue: values.TURNKEEP_TASK_QUEUE,
    ...(values.TURNKEEP_DEPLOYMENT_VERSION === undefined
      ? {}
      : { deployment: { name: values.TURNKEEP_DEPLOYMENT_NAME, version: values.TURNKEEP_DEPLOYMENT_VERSION } }),
    temporal: { ...temporal, ...defined({ cli: values.TEMPORAL_CLI && resolve(cwd, values.TEMPORAL_CLI) }) },
    provider: {
      api: values.TURNKEEP_MODEL_API ?? apiOf(values.OPENAI_BASE_URL),
      ...(values.TURNKEEP_REATTACH === 'on' ? { reattach: true } : {}),
      ...defined({ baseUrl: values.OPENAI_BASE_URL, apiKey: values.OPENAI_API_KEY, model: values.TURNKEEP_MODEL }),
    },
    limits: {
      connectTimeoutMs: values.TURNKEEP_CONNECT_TIMEOUT_MS,
      firstEventTimeoutMs: values.TURNKEEP_FIRST_EVENT_TIMEOUT_MS,
      idleTimeoutMs: values.TURNKEEP_IDLE_TIMEOUT_MS,
      turnTimeoutMs: values.TURNKEEP_TURN_TIMEOUT_MS,
      heartbeatTimeoutMs: values.TURNKEEP_HEARTBEAT_TIMEOUT_MS,
      drainMs: values.TURNKEEP_DRAIN_MS,
      maxOutputBytes: values.TURNKEEP_MAX_OUTPUT_BYTES,
    },
    record: values.TURNKEEP_RECORD,
    hasHeadStart: values.TURNKEEP_HEAD_START === 'on',
    hasBreaker: values.TURNKEEP_CIRCUIT_BREAKER === 'on',
    retentionDays: values.TURNKEEP_RETENTION_DAYS,
    apiKeys: values.TURNKEEP_API_KEYS,
    requiresKey: values.TURNKEEP_REQUIRE_KEY === 'on',
    quotas: {
      requestsPerSecond: values.TURNKEEP_REQUESTS_PER_SECOND,
      maxRunningTurns: values.TURNKEEP_MAX_RUNNING_TURNS,
      maxWaitingTurns: values.TURNKEEP_MAX_WAITING_TURNS,
    },
    intake: {
      maxInputItems: values.TURNKEEP_MAX_INPUT_ITEMS,
      maxBodyBytesAtOnce: values.TURNKEEP_MAX_BODY_BYTES_AT_ONCE,
      unsupportedTools: values.TURNKEEP_UNSUPPORTED_TOOLS,
    },
    corsOrigins: values.TURNKEEP_CORS_ORIGINS,
    titles: { isOn: /^(1|true)$/.test(values.TURNKEEP_TITLES), ...defined({ model: values.TURNKEEP_TITLE_MODEL }) },
    webhooks,
    codecKeys: values.TURNKEEP_CODEC_KEYS,
    ...defined({
      logLevel: values.LOG_LEVEL,
      metricsPort: values.TURNKEEP_METRICS_PORT,
      configPath: configPathOf({ env, flags, cwd }),
      traces,
    }),
  });
}

function databaseUrlOf(url: string | undefined, dataDir: string, cwd: string): string {
  const path = url === undefined ? join(dataDir, 'turnkeep.db') : sqlitePath(url);
  return url !== undefined && path === undefined ? url : `sqlite:${resolve(cwd, path ?? '')}`;
}

/** The file that the settings name, absolute. Whatever else is wrong with them, it is read off them alike. */
export function configPathOf({ env, flags = {}, cwd = process.cwd() }: Sources): string | undefined {
  const named = flags['config'] || env['TURNKEEP_CONFIG'];
  return named ? resolve(cwd, named) : undefined;
}

/** As every Temporal tool reads it: the variables over the profile in the file. */
function readTemporal(env: Sources['env'], given: { readonly [name: string]: string }, problems: string[]): Config['temporal'] {
  const variables: { [name: string]: string } = {};
  for (const [name, value] of Object.entries({ ...env, ...given })) {
    // Of the settings in our table, an empty one is unset; the other variables of Temporal pass as they are.
    if (value !== undefined && (given[name] !== undefined || !(name in table.shape))) variables[name] = value;
  }
  try {
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({ overrideEnvVars: variables });
    const address = connectionOptions.address;
    return address ? { namespace, address, connection: defined(connectionOptions) } : { namespace };
  } catch (error) {
    const reason =
      error instanceof Error && 'code' in error && 'path' in error
        ? `${String(error.path)} cannot be read (${String(error.code)})`
        : String(error);
    problems.push(`TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and TEMPORAL_TLS_* cannot be used: ${reason}`);
    return { namespace: 'default' };
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys that are undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function deepFreeze<T>(value: T): T {
  // Bytes cannot be frozen, and a Temporal connection's certificates are bytes.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

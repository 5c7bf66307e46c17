/**
 * The one table of settings: names, flags, defaults, checks and the help text come from it.
 * A flag is its variable in kebab case without `TURNKEEP_`, and overrides it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export type LogLevel = (typeof logLevels)[number];
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

// Kinds of values. A message says what is wanted, so that it can stand behind the setting's name. -------------

const text = z.string();
const fileOrText = z.string();

function wholeNumber(min: number, max: number, unit = '') {
  const error = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}`;
  return z.string().regex(/^\d+$/, { error }).transform(Number).pipe(z.number().min(min, { error }).max(max, { error }));
}

/** setTimeout takes no more, and fires at once on anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const milliseconds = (min = 1) => wholeNumber(min, LONGEST_TIMER_MS, 'milliseconds');

const webAddress = z.string().refine(
  (value) => {
    const url = URL.parse(value);
    return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  },
  { error: 'must be an http:// or https:// address, without user, password or query (such as http://127.0.0.1:11434/v1)' },
);

const grpcAddress = z.string().regex(/^(\[[0-9a-f:.]+\]|[^\s:/[\]]+)(:\d{1,5})?$/i, {
  error: 'must be host:port, without a scheme or a path (such as 127.0.0.1:7233)',
});

const hostName = z.string().regex(/^[\w.:-]+$/, { error: 'must be an IP address or a host name, without a port' });

const database = z.string().superRefine((value, context) => {
  if (/^postgres(ql)?:/.test(value)) {
    context.addIssue('postgres comes later: this version keeps its data in sqlite:PATH only; leave it unset for a file in the data dir');
  } else if (!/^sqlite:(\/\/)?[^:/]*[^:]*$/.test(value) || sqlitePath(value) === '') {
    context.addIssue('must be sqlite:PATH, the path of a file; leave it unset for a file in the data dir');
  }
});

/** `name:value,…`; what is wrong is told by position, since any part may hold the secret. */
function pairs<Pair>(form: string, read: (name: string, value: string) => Pair | undefined) {
  return z.string().transform((value, context) => {
    const found: Pair[] = [];
    for (const [index, entry] of value.split(',').entries()) {
      const [, name = '', rest = ''] = /^\s*([\w.-]{1,64}):(.*?)\s*$/.exec(entry) ?? [];
      const pair = rest === '' ? undefined : read(name, rest);
      if (pair === undefined) context.addIssue(`must be ${form}; entry ${index + 1} is not`);
      else found.push(pair);
    }
    return found;
  });
}

/** Only hashes are kept: nothing that reads this process's memory, or prints its configuration, finds a key. */
const apiKeys = pairs('name:secret,… (names of letters, digits, ".", "_" and "-")', (name, secret) => ({
  name,
  hash: createHash('sha256').update(secret).digest('hex'),
})).refine((keys) => new Set(keys.map((key) => key.hash)).size === keys.length, {
  error: 'has one secret twice, so that its tenant cannot be told: give each name its own',
});

const codecKeys = pairs('id:base64 of 32 bytes,… (make one with `openssl rand -base64 32`)', (id, encoded) => {
  const key = Buffer.from(encoded, 'base64');
  return key.length === 32 && key.toString('base64') === encoded ? { id, key: new Uint8Array(key) } : undefined;
}).refine((keys) => new Set(keys.map((key) => key.id)).size === keys.length, {
  error: 'has one id twice, so that the key of what is stored cannot be told: give each its own',
});

/** As browsers send them: `*` alone, or scheme, host and port, nothing behind. */
const origins = z.string().transform((value, context) => {
  const all = value.split(',').map((entry) => entry.trim());
  const isRight = all.every((entry) => /^https?:[^*]*$/.test(entry) && URL.parse(entry)?.origin === entry);
  if (!isRight && value.trim() !== '*') {
    context.addIssue('must be * or origins as browsers send them, comma separated (such as http://localhost:3000,https://app.example)');
  }
  return all;
});

const flag = z.enum(['0', '1', 'true', 'false'], { error: 'must be 1, 0, true or false' });

// The table ------------------------------------------------------------------------------------------------------

export const table = z.object({
  TURNKEEP_HOST: hostName.default('127.0.0.1').meta({ description: 'address to listen on' }),
  TURNKEEP_PORT: wholeNumber(0, 65_535).default(8484).meta({ description: 'port to listen on; 0 picks a free one and prints it' }),
  TURNKEEP_DATA_DIR: text.default('.turnkeep').meta({ description: 'where data is kept' }),
  DATABASE_URL: database.optional().meta({ description: 'sqlite:PATH; by default a file in the data dir', isSecret: true }),
  TURNKEEP_TASK_QUEUE: text.max(200).default('turnkeep').meta({ description: "Temporal's task queue" }),
  TURNKEEP_API_KEYS: apiKeys
    .default([])
    .meta({ description: 'name:secret,…; each name is a tenant; unset: no authentication', isSecret: true }),
  TURNKEEP_REQUESTS_PER_SECOND: wholeNumber(0, 1_000_000)
    .default(0)
    .meta({ description: 'requests a second that each tenant may make, twice as many at once; 0: no limit' }),
  TURNKEEP_MAX_RUNNING_TURNS: wholeNumber(1, 1_000_000)
    .default(1_000)
    .meta({ description: 'turns of one tenant that are not settled yet' }),
  TURNKEEP_MAX_WAITING_TURNS: wholeNumber(1, 1_000_000).default(100).meta({ description: 'turns that may wait in one conversation' }),
  TURNKEEP_CORS_ORIGINS: origins
    .default([])
    .meta({ description: 'origins whose pages may call the API, comma separated, or *; unset: none but its own' }),
  TURNKEEP_METRICS_PORT: wholeNumber(0, 65_535)
    .optional()
    .meta({ description: 'port of /metrics and /healthz of a worker on its own; 0 picks a free one and prints it; unset: none' }),
  TURNKEEP_RETENTION_DAYS: wholeNumber(1, 36_500, 'days').default(30).meta({ description: 'older journals and turns are dropped' }),

  OPENAI_BASE_URL: webAddress.optional().meta({ description: "the model provider's API; by default OpenAI's", isSecret: true }),
  OPENAI_API_KEY: text.optional().meta({ description: "the model provider's key", isSecret: true }),
  TURNKEEP_MODEL_API: z
    .enum(['chat', 'responses'], { error: 'must be chat or responses' })
    .optional()
    .meta({ description: "which streaming API the provider speaks; by default responses for OpenAI's own host, else chat" }),
  TURNKEEP_MODEL: text.optional().meta({ description: 'the model of requests that name none' }),
  TURNKEEP_TITLES: flag.default('false').meta({ description: 'whether a conversation gets a title from its first turn' }),
  TURNKEEP_TITLE_MODEL: text.optional().meta({ description: 'the model of titles; by default that of the turn' }),

  TURNKEEP_CONNECT_TIMEOUT_MS: milliseconds().default(10_000).meta({ description: 'longest wait for a connection to the provider' }),
  TURNKEEP_FIRST_EVENT_TIMEOUT_MS: milliseconds().default(300_000).meta({ description: 'longest wait for the first token' }),
  TURNKEEP_IDLE_TIMEOUT_MS: milliseconds().default(120_000).meta({ description: 'longest silence after the first token' }),
  TURNKEEP_TURN_TIMEOUT_MS: milliseconds().default(3_600_000).meta({ description: 'longest turn' }),
  TURNKEEP_HEARTBEAT_TIMEOUT_MS: milliseconds().default(8_000).meta({ description: 'a dead worker is noticed within this' }),
  TURNKEEP_DRAIN_MS: milliseconds(0).default(30_000).meta({ description: 'how long SIGTERM lets running streams finish' }),

  TEMPORAL_ADDRESS: grpcAddress.optional().meta({ description: 'host:port of a Temporal server; dev starts one if unset' }),
  TEMPORAL_NAMESPACE: text.optional().meta({ description: "Temporal's namespace; by default `default`" }),
  TEMPORAL_API_KEY: text.optional().meta({ description: "Temporal's API key", isSecret: true }),
  TEMPORAL_PROFILE: text.optional().meta({ description: "profile in Temporal's configuration file" }),
  TEMPORAL_CONFIG_FILE: text.optional().meta({ description: "Temporal's configuration file" }),
  TEMPORAL_TLS: flag.optional().meta({ description: 'TLS to Temporal: 1 or 0' }),
  TEMPORAL_TLS_CLIENT_CERT_PATH: fileOrText.optional().meta({ description: 'client certificate, a file' }),
  TEMPORAL_TLS_CLIENT_CERT_DATA: fileOrText.optional().meta({ description: 'client certificate itself', isSecret: true }),
  TEMPORAL_TLS_CLIENT_KEY_PATH: fileOrText.optional().meta({ description: 'client key, a file' }),
  TEMPORAL_TLS_CLIENT_KEY_DATA: fileOrText.optional().meta({ description: 'client key itself', isSecret: true }),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: fileOrText.optional().meta({ description: "the server's authority, a file" }),
  TEMPORAL_TLS_SERVER_CA_CERT_DATA: fileOrText.optional().meta({ description: "the server's authority itself", isSecret: true }),
  TEMPORAL_TLS_SERVER_NAME: text.optional().meta({ description: "name to expect in the server's certificate" }),
  TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: flag
    .refine((value) => value === '0' || value === 'false', {
      error: "cannot be had with Temporal's TypeScript SDK: give TEMPORAL_TLS_SERVER_CA_CERT_PATH instead",
    })
    .optional()
    .meta({ description: 'not to be had here; only 0 is accepted' }),
  TEMPORAL_CLI: text.optional().meta({ description: 'the temporal program that dev is to start' }),

  TURNKEEP_CODEC_KEYS: codecKeys
    .default([])
    .meta({ description: 'id:base64 of 32 bytes,…; encrypts what Temporal stores: the first encrypts, all decrypt', isSecret: true }),
  TURNKEEP_CONFIG: z.never({ error: 'is not in this version yet: unset it' }).optional().meta({ description: 'not in this version yet' }),
  LOG_LEVEL: z
    .enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` })
    .optional()
    .meta({ description: logLevels.join(', ') }),
});

export interface Setting {
  /** The variable. */
  readonly env: string;
  /** The flag's name, without the dashes. */
  readonly flag: string;
  readonly description: string;
  /** For the help text. */
  readonly default?: string;
  readonly isSecret: boolean;
}

export const settings: readonly Setting[] = Object.entries(table.shape).map(([env, schema]) => {
  const { description = '', isSecret = false } = z
    .object({ description: z.string().optional(), isSecret: z.boolean().optional() })
    .parse(schema.meta());
  const preset: unknown = schema.safeParse(undefined).data;
  return {
    env,
    flag: env
      .replace(/^TURNKEEP_/, '')
      .toLowerCase()
      .replaceAll('_', '-'),
    description,
    isSecret,
    ...(typeof preset === 'string' || typeof preset === 'number' ? { default: String(preset) } : {}),
  };
});

/** The file of a `sqlite:` URL. */
export function sqlitePath(databaseUrl: string): string {
  return databaseUrl.replace(/^sqlite:(\/\/(?=\/))?/, '');
}

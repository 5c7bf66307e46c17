/**
 * The one table of settings: names, flags, defaults, checks and the help text come from it.
 * A flag is its variable in kebab case without `TURNKEEP_`, and overrides it.
 */
import { z } from 'zod';
import { recordModes } from '../domain/turn/recording.ts';
import { webhookEvents } from '../domain/turn/webhook.ts';
import {
  apiKeys,
  codecKeys,
  database,
  deploymentName,
  fileOrText,
  flag,
  grpcAddress,
  hostName,
  milliseconds,
  onOff,
  origins,
  postgresServer,
  text,
  versionName,
  webAddress,
  wholeNumber,
} from './setting-values.ts';
import { webhookEventList, webhookSecrets, webhookUrls } from './webhook-settings.ts';

export type LogLevel = (typeof logLevels)[number];
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const table = z.object({
  TURNKEEP_HOST: hostName.default('127.0.0.1').meta({ description: 'address to listen on' }),
  TURNKEEP_PORT: wholeNumber(0, 65_535)
    .default(8484)
    .meta({ readBy: ['gateway'], description: 'port to listen on; 0 picks a free one and prints it' }),
  TURNKEEP_DATA_DIR: text.default('.turnkeep').meta({ description: 'where data is kept' }),
  DATABASE_URL: database.optional().meta({
    description: 'sqlite:PATH, by default a file in the data dir; postgres://… where gateways and workers are on several machines',
    isSecret: true,
  }),
  DATABASE_LISTEN_URL: postgresServer.optional().meta({
    description: 'postgres://… of the server itself, where DATABASE_URL is a pooler in transaction mode, such as PgBouncer',
    isSecret: true,
  }),
  DATABASE_POOL_SIZE: wholeNumber(2, 1_000)
    .default(10)
    .meta({ description: 'connections of a process to Postgres, besides four of its own' }),
  TURNKEEP_CONFIG: text
    .regex(/\.(ts|mts|js|mjs)$/, { error: 'must be a file in .ts, .mts, .js or .mjs' })
    .optional()
    .meta({ description: 'the file of agents, tools and providers; by default turnkeep.config.ts of the working directory, if there' }),
  TURNKEEP_TASK_QUEUE: text.max(200).default('turnkeep').meta({ description: "Temporal's task queue" }),
  TURNKEEP_DEPLOYMENT_VERSION: versionName.optional().meta({
    readBy: ['worker'],
    description: "what runs here, for Temporal's worker versioning: a run goes on by workers of the current version; unset: none",
  }),
  TURNKEEP_DEPLOYMENT_NAME: deploymentName
    .default('turnkeep')
    .meta({ readBy: ['worker'], description: "Temporal's worker deployment, which has the version" }),
  TURNKEEP_API_KEYS: apiKeys
    .default([])
    .meta({ description: 'name:secret,…; each name is a tenant; unset: no authentication', isSecret: true }),
  TURNKEEP_REQUIRE_KEY: onOff.default('off').meta({
    readBy: ['gateway'],
    description: 'on: a key is needed also where TURNKEEP_API_KEYS is unset: one of turnkeep keys',
  }),
  TURNKEEP_REQUESTS_PER_SECOND: wholeNumber(0, 1_000_000)
    .default(0)
    .meta({ readBy: ['gateway'], description: 'requests a second that each tenant may make, twice as many at once; 0: no limit' }),
  TURNKEEP_MAX_RUNNING_TURNS: wholeNumber(1, 1_000_000)
    .default(1_000)
    .meta({ readBy: ['gateway'], description: 'turns of one tenant that are not settled yet' }),
  TURNKEEP_MAX_WAITING_TURNS: wholeNumber(1, 1_000_000)
    .default(100)
    .meta({ readBy: ['gateway'], description: 'turns that may wait in one conversation' }),
  TURNKEEP_MAX_INPUT_ITEMS: wholeNumber(1, 100_000)
    .default(10_000)
    .meta({ readBy: ['gateway'], description: 'items, or messages, of one request; a longer input is refused' }),
  TURNKEEP_MAX_BODY_BYTES_AT_ONCE: wholeNumber(67_108_864, 1_099_511_627_776, 'bytes')
    .default(268_435_456)
    .meta({
      readBy: ['gateway'],
      description: 'request bodies that are held in memory at the same time, half of it for one tenant; more are refused',
    }),
  TURNKEEP_CORS_ORIGINS: origins
    .default([])
    .meta({ readBy: ['gateway'], description: 'origins whose pages may call the API, comma separated, or *; unset: none but its own' }),
  TURNKEEP_METRICS_PORT: wholeNumber(0, 65_535)
    .optional()
    .meta({
      readBy: ['worker alone'],
      description: 'port of /metrics and /healthz of a worker on its own; 0 picks a free one and prints it; unset: none',
    }),
  TURNKEEP_MAX_OUTPUT_BYTES: wholeNumber(1_024, 268_435_456, 'bytes')
    .default(16_777_216)
    .meta({ readBy: ['worker'], description: 'an answer that grows past it ends as failed, output_too_large' }),
  TURNKEEP_HEAD_START: onOff.default('on').meta({
    readBy: ['both'],
    description: 'on: a process with gateway and worker sends the request while Temporal starts the workflow; off: after',
  }),
  TURNKEEP_CIRCUIT_BREAKER: onOff.default('on').meta({
    readBy: ['both'],
    description: 'on: a provider that fails turn after turn is sent nothing until one request gets an answer; off: every turn asks it',
  }),
  TURNKEEP_RECORD: z
    .enum(recordModes, { error: 'must be wire, answers or off' })
    .default('wire')
    .meta({ readBy: ['worker'], description: "what is kept for rerun: the provider's bytes, the answers read of them, or nothing" }),
  TURNKEEP_RETENTION_DAYS: wholeNumber(1, 36_500, 'days').default(30).meta({ description: 'older journals and turns are dropped' }),

  OPENAI_BASE_URL: webAddress.optional().meta({ description: "the model provider's API; by default OpenAI's", isSecret: true }),
  OPENAI_API_KEY: text.optional().meta({ description: "the model provider's key", isSecret: true }),
  TURNKEEP_MODEL_API: z
    .enum(['chat', 'responses'], { error: 'must be chat or responses' })
    .optional()
    .meta({ description: "which streaming API the provider speaks; by default responses for OpenAI's own host, else chat" }),
  TURNKEEP_REATTACH: onOff.default('off').meta({
    description: 'on: the provider keeps each stored answer (background mode), which is read on where its connection or worker is lost',
  }),
  TURNKEEP_MODEL: text.optional().meta({ description: 'the model of requests that name none' }),
  TURNKEEP_UNSUPPORTED_TOOLS: z
    .enum(['omit', 'refuse'], { error: 'must be omit or refuse' })
    .default('omit')
    .meta({ readBy: ['gateway'], description: 'tools of a kind that this provider cannot have: left out, and said so; or a 400' }),
  TURNKEEP_TITLES: flag
    .default('false')
    .meta({ description: 'whether a conversation gets a title from its first turn; alike on gateways and workers' }),
  TURNKEEP_TITLE_MODEL: text.optional().meta({ readBy: ['worker'], description: 'the model of titles; by default that of the turn' }),

  TURNKEEP_WEBHOOK_URL: webhookUrls.default([]).meta({
    description: 'where the ends of background responses are told, or name=address,… for tenants; alike on gateways and workers',
    isSecret: true,
  }),
  TURNKEEP_WEBHOOK_SECRET: webhookSecrets.default([]).meta({
    description: 'whsec_… that signs them, or name=whsec_…,… for tenants; of several for one address each signs',
    isSecret: true,
  }),
  TURNKEEP_WEBHOOK_EVENTS: webhookEventList.default([...webhookEvents]).meta({
    readBy: ['gateway'],
    description: `which of them, comma separated; by default ${webhookEvents.join(', ')}`,
  }),

  TURNKEEP_CONNECT_TIMEOUT_MS: milliseconds().default(10_000).meta({ description: 'longest wait for a connection to the provider' }),
  TURNKEEP_FIRST_EVENT_TIMEOUT_MS: milliseconds()
    .default(300_000)
    .meta({ readBy: ['worker'], description: 'longest wait for the first token' }),
  TURNKEEP_IDLE_TIMEOUT_MS: milliseconds()
    .default(120_000)
    .meta({ readBy: ['worker'], description: 'longest silence after the first token' }),
  TURNKEEP_TURN_TIMEOUT_MS: milliseconds().default(3_600_000).meta({ description: 'longest turn' }),
  TURNKEEP_HEARTBEAT_TIMEOUT_MS: milliseconds(500).default(8_000).meta({ description: 'a dead worker is noticed within this' }),
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
    .meta({ readBy: [], description: 'not to be had here; only 0 is accepted' }),
  TEMPORAL_CLI: text.optional().meta({ readBy: ['dev'], description: 'the temporal program that dev is to start' }),

  TURNKEEP_CODEC_KEYS: codecKeys
    .default([])
    .meta({ description: 'id:base64 of 32 bytes,…; encrypts what Temporal stores: the first encrypts, all decrypt', isSecret: true }),
  TURNKEEP_CODEC_SERVER_KEYS: apiKeys.default([]).meta({
    readBy: [],
    description: 'name:secret,…; who may decrypt by turnkeep codec-server; each name is in its log',
    isSecret: true,
  }),
  LOG_LEVEL: z
    .enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` })
    .optional()
    .meta({ description: logLevels.join(', ') }),
});

/** A process that reads a setting: `both` has gateway and worker in it, `worker alone` no gateway. */
export type Reader = z.output<typeof reader>;
const reader = z.enum(['dev', 'gateway', 'worker', 'worker alone', 'both']);

export interface Setting {
  /** The variable. */
  readonly env: string;
  /** Absent: every process reads it. None: it is accepted, and not worth a line in a help text. */
  readonly readBy?: readonly Reader[];
  /** The flag's name, without the dashes. */
  readonly flag: string;
  readonly description: string;
  /** For the help text. */
  readonly default?: string;
  readonly isSecret: boolean;
}

/**
 * Every setting, in the order of the help text.
 *
 * @example
 *     import { settings } from 'turnkeep/config';
 *
 *     for (const { env, description } of settings) console.log(env, description);
 */
export const settings: readonly Setting[] = Object.entries(table.shape).map(([env, schema]) => {
  const {
    description = '',
    isSecret = false,
    readBy,
  } = z
    .object({ description: z.string().optional(), isSecret: z.boolean().optional(), readBy: z.array(reader).optional() })
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
    ...(readBy === undefined ? {} : { readBy }),
    ...(typeof preset === 'string' || typeof preset === 'number' ? { default: String(preset) } : {}),
  };
});

/** The configuration of a process, one frozen object; `read-config.ts` makes it. */
import { readFileSync } from 'node:fs';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { RecordMode } from '../domain/turn/recording.ts';
import type { WebhookEndpoint } from '../domain/turn/webhook.ts';
import type { LogLevel } from './settings.ts';
import type { TraceSettings } from './trace-settings.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  /** `sqlite:` and an absolute path, or `postgres://…`. */
  readonly databaseUrl: string;
  readonly postgres: {
    /** The server itself, where `databaseUrl` is that of a pooler. */
    readonly listenUrl?: string;
    readonly poolSize: number;
  };
  readonly taskQueue: string;
  /** Temporal's worker versioning; absent: a run goes on by any worker of the task queue. */
  readonly deployment?: { readonly name: string; readonly version: string };
  readonly temporal: {
    /** Unset: `dev` starts a server, the others look for that of a running `dev`. */
    readonly address?: string;
    readonly namespace: string;
    /** For `NativeConnection.connect`; set together with `address`. */
    readonly connection?: NativeConnectionOptions;
    /** The `temporal` program that `dev` is to start. */
    readonly cli?: string;
  };
  readonly provider: {
    readonly baseUrl?: string;
    readonly apiKey?: string;
    readonly api: 'chat' | 'responses';
    /** Answers are kept by the provider, and read on where their connection broke. */
    readonly reattach?: true;
    readonly model?: string;
  };
  readonly limits: {
    readonly connectTimeoutMs: number;
    readonly firstEventTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly turnTimeoutMs: number;
    readonly heartbeatTimeoutMs: number;
    readonly drainMs: number;
    readonly maxOutputBytes: number;
  };
  /** What a worker keeps of each attempt, for `rerun`. */
  readonly record: RecordMode;
  /** A process with gateway and worker sends the request while Temporal starts the workflow. */
  readonly hasHeadStart: boolean;
  /** A provider that fails for everybody is not asked for a while. */
  readonly hasBreaker: boolean;
  readonly retentionDays: number;
  /** None: no authentication, unless `requiresKey` says so. A name may have several secrets, a secret one name. `hash` is SHA-256 in hex. */
  readonly apiKeys: readonly { readonly name: string; readonly hash: string }[];
  /** Of every request, also where `apiKeys` is empty: the database has keys too. */
  readonly requiresKey: boolean;
  readonly quotas: {
    /** Of one tenant; 0: no limit. */
    readonly requestsPerSecond: number;
    /** Unsettled turns of one tenant. */
    readonly maxRunningTurns: number;
    /** Of one session. */
    readonly maxWaitingTurns: number;
  };
  /** What a gateway takes in. */
  readonly intake: {
    /** Of one request. */
    readonly maxInputItems: number;
    /** Of all request bodies that are held at the same time; one tenant may hold half of it. */
    readonly maxBodyBytesAtOnce: number;
    /** Tools of a kind that the provider cannot have. */
    readonly unsupportedTools: 'omit' | 'refuse';
  };
  /** Exact origins, or `*` alone. None: no other origin's pages may call the API. */
  readonly corsOrigins: readonly string[];
  /** Where a worker on its own serves its metrics. */
  readonly metricsPort?: number;
  /** Absent: nothing is traced. */
  readonly traces?: TraceSettings;
  readonly titles: {
    readonly isOn: boolean;
    /** Unset: that of the turn. */
    readonly model?: string;
  };
  /** Where the ends of background responses are told: at most one of a tenant, and one for all others. */
  readonly webhooks: readonly WebhookEndpoint[];
  /** The first encrypts what Temporal stores, all decrypt. None: nothing is encrypted. */
  readonly codecKeys: readonly { readonly id: string; readonly key: Uint8Array }[];
  /** Of the file that `TURNKEEP_CONFIG` names, absolute. Unset: `turnkeep.config.ts` of the working directory, if it is there. */
  readonly configPath?: string;
  /** Unset: each command has its own. */
  readonly logLevel?: LogLevel;
}

/**
 * Everything that is wrong with the settings, one line each in `message`.
 *
 * @example
 *     import { ConfigError, readConfig } from 'turnkeep/config';
 *
 *     try {
 *       readConfig({ env: process.env });
 *     } catch (error) {
 *       if (error instanceof ConfigError) console.error(error.problems);
 *     }
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** The version of this package, from its own `package.json`. */
export function readVersion(): string {
  const packageJson: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof packageJson === 'object' && packageJson !== null && 'version' in packageJson ? String(packageJson.version) : 'unknown';
}

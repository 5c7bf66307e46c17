/**
 * Traces, by the variables that every OpenTelemetry tool reads. Its exporter reads those of the connection itself (headers, timeouts,
 * certificates) and passes over what it cannot use: that is looked at here, so that a mistake is told at the start.
 */
import { existsSync } from 'node:fs';

export interface TraceSettings {
  /** Of all traces, which part is kept: 0 to 1. */
  readonly ratio: number;
  /** Also what was said is recorded. */
  readonly hasContent: boolean;
  /** How spans wait to be sent. */
  readonly batch: {
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

const endpoints = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
const protocols = ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'];

/** @returns undefined: no endpoint is named, or traces are turned off */
export function readTraces(env: Environment, problems: string[]): TraceSettings | undefined {
  const isOff = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none';
  const named = endpoints.filter((name) => env[name]);
  if (isOff || named.length === 0) return undefined;
  for (const name of named) {
    if (!/^https?:$/.test(URL.parse(env[name] ?? '')?.protocol ?? '')) {
      problems.push(
        `${name} must be the http:// or https:// address of a collector, such as http://127.0.0.1:4318; it is ${JSON.stringify(env[name])}`,
      );
    }
  }
  for (const name of protocols) {
    const protocol = env[name];
    if (protocol && protocol !== 'http/protobuf') {
      problems.push(`${name} must be http/protobuf, which collectors take at port 4318; it is ${JSON.stringify(protocol)}`);
    }
  }
  const exporter = env['OTEL_TRACES_EXPORTER'];
  if (exporter && exporter !== 'otlp') problems.push(`OTEL_TRACES_EXPORTER must be otlp or none; it is ${JSON.stringify(exporter)}`);
  lookAtConnection(env, problems);
  const [maxQueueSize, maxExportBatchSize, scheduledDelayMillis, exportTimeoutMillis] = [
    wholeNumber(env, 'OTEL_BSP_MAX_QUEUE_SIZE', problems),
    wholeNumber(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', problems),
    wholeNumber(env, 'OTEL_BSP_SCHEDULE_DELAY', problems),
    wholeNumber(env, 'OTEL_BSP_EXPORT_TIMEOUT', problems),
  ];
  return {
    ratio: ratioOf(env, problems),
    hasContent: isTrue(env['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'], problems),
    batch: {
      ...(maxQueueSize === undefined ? {} : { maxQueueSize }),
      ...(maxExportBatchSize === undefined ? {} : { maxExportBatchSize }),
      ...(scheduledDelayMillis === undefined ? {} : { scheduledDelayMillis }),
      ...(exportTimeoutMillis === undefined ? {} : { exportTimeoutMillis }),
    },
  };
}

/** What the exporter reads, of all signals and of traces. */
function lookAtConnection(env: Environment, problems: string[]): void {
  for (const prefix of ['OTEL_EXPORTER_OTLP_', 'OTEL_EXPORTER_OTLP_TRACES_']) {
    wholeNumber(env, `${prefix}TIMEOUT`, problems);
    const compression = env[`${prefix}COMPRESSION`];
    if (compression && compression !== 'gzip' && compression !== 'none') {
      problems.push(`${prefix}COMPRESSION must be gzip or none; it is ${JSON.stringify(compression)}`);
    }
    // Its values are secret.
    if (!isListOfPairs(env[`${prefix}HEADERS`])) problems.push(`${prefix}HEADERS must be name=value pairs, with commas between them`);
    for (const name of [`${prefix}CERTIFICATE`, `${prefix}CLIENT_CERTIFICATE`, `${prefix}CLIENT_KEY`]) {
      const path = env[name];
      if (path && !existsSync(path)) problems.push(`${name} must be the path of a file; there is none at ${path}`);
    }
  }
  if (!isListOfPairs(env['OTEL_RESOURCE_ATTRIBUTES'])) {
    problems.push('OTEL_RESOURCE_ATTRIBUTES must be name=value pairs, with commas between them, such as deployment.environment.name=prod');
  }
}

function isListOfPairs(list: string | undefined): boolean {
  return !list || list.split(',').every((pair) => pair.trim() === '' || /^\s*[^\s=]+\s*=/.test(pair));
}

function wholeNumber(env: Environment, name: string, problems: string[]): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  problems.push(`${name} must be a whole number above 0; it is ${JSON.stringify(text)}`);
  return undefined;
}

/** A turn has a trace of its own: whether its client's is kept decides nothing, so that `parentbased_` changes nothing. */
function ratioOf(env: Environment, problems: string[]): number {
  const sampler = env['OTEL_TRACES_SAMPLER']?.replace(/^parentbased_/, '') || 'always_on';
  if (sampler === 'always_on') return 1;
  if (sampler === 'always_off') return 0;
  const argument = env['OTEL_TRACES_SAMPLER_ARG'] || '1';
  const ratio = Number(argument);
  if (sampler !== 'traceidratio') {
    problems.push(
      `OTEL_TRACES_SAMPLER must be always_on, always_off or traceidratio, or one of these behind parentbased_; it is ${JSON.stringify(env['OTEL_TRACES_SAMPLER'])}`,
    );
  } else if (!(ratio >= 0 && ratio <= 1)) problems.push(`OTEL_TRACES_SAMPLER_ARG must be from 0 to 1; it is ${JSON.stringify(argument)}`);
  return ratio;
}

function isTrue(value: string | undefined, problems: string[]): boolean {
  if (value && !/^(true|false)$/i.test(value)) {
    problems.push(`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT must be true or false; it is ${JSON.stringify(value)}`);
  }
  return value?.toLowerCase() === 'true';
}

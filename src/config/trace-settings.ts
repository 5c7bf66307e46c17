/** Traces, by the variables that every OpenTelemetry tool reads. The exporter reads the rest of them itself: headers, timeouts, certificates. */
export interface TraceSettings {
  /** Of all traces, which part is kept: 0 to 1. */
  readonly ratio: number;
  /** Also what was said is recorded. */
  readonly hasContent: boolean;
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
  return { ratio: ratioOf(env, problems), hasContent: isTrue(env['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']) };
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

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

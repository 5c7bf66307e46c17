/** Traces are turned on and said how by the variables of OpenTelemetry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../src/config/config.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { readTraces } from '../../src/config/trace-settings.ts';

const on = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
const plain = { ratio: 1, hasContent: false, batch: {} };

for (const [why, env, settings] of [
  ['no endpoint', {}, undefined],
  ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, undefined],
  ['turned off', { ...on, OTEL_SDK_DISABLED: 'true' }, undefined],
  ['no exporter', { ...on, OTEL_TRACES_EXPORTER: 'none' }, undefined],
  ['mistakes without an endpoint', { OTEL_TRACES_SAMPLER: 'sometimes', OTEL_BSP_MAX_QUEUE_SIZE: '-1' }, undefined],
  ['an endpoint', on, plain],
  ['an endpoint for traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.test/v1/traces' }, plain],
  ['content', { ...on, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'True' }, { ...plain, hasContent: true }],
  ['a tenth', { ...on, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' }, { ...plain, ratio: 0.1 }],
  ['none', { ...on, OTEL_TRACES_SAMPLER: 'always_off' }, { ...plain, ratio: 0 }],
  [
    'batches',
    {
      ...on,
      OTEL_BSP_MAX_QUEUE_SIZE: '4096',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '256',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BSP_EXPORT_TIMEOUT: '1000',
    },
    { ...plain, batch: { maxQueueSize: 4_096, maxExportBatchSize: 256, scheduledDelayMillis: 100, exportTimeoutMillis: 1_000 } },
  ],
  ['headers and attributes', { ...on, OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b,x=y', OTEL_RESOURCE_ATTRIBUTES: 'a=b, c=d' }, plain],
] as const) {
  test(`traces with ${why}`, () => {
    const problems: string[] = [];
    assert.deepEqual(readTraces(env, problems), settings);
    assert.deepEqual(problems, []);
  });
}

for (const [name, value] of [
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318'],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'ftp://collector'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/json'],
  ['OTEL_TRACES_EXPORTER', 'zipkin'],
  ['OTEL_TRACES_SAMPLER', 'sometimes'],
  ['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT', 'yes'],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 'many'],
  ['OTEL_BSP_SCHEDULE_DELAY', '5s'],
  ['OTEL_BSP_EXPORT_TIMEOUT', '-1'],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s'],
  ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', '1.5'],
  ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'Bearer secret'],
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/nowhere/ca.pem'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'prod'],
] as const) {
  test(`${name} is refused by its name, with all other mistakes at once`, () => {
    const read = (): unknown => readConfig({ env: { ...on, [name]: value, TURNKEEP_PORT: 'x' }, cwd: '/home/me' });
    assert.throws(read, (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      const own = error.problems.filter((problem) => problem.startsWith(name));
      assert.equal(own.length, 1, error.problems.join('\n'));
      assert.equal(error.problems.length, 2);
      if (name.endsWith('HEADERS')) assert.ok(!own[0]?.includes('secret'));
      return true;
    });
  });
}

test('a ratio out of range', () => {
  const problems: string[] = [];
  readTraces({ ...on, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, problems);
  assert.match(problems[0] ?? '', /^OTEL_TRACES_SAMPLER_ARG must be from 0 to 1; it is "2"$/);
});

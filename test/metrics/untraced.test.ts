/** Who traces nothing loads nothing of OpenTelemetry, which would cost a start 100 ms, and memory: its API apart, which prom-client loads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const src = join(import.meta.dirname, '../../src');
const script = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({
  load(url, context, nextLoad) {
    if (/\\/@opentelemetry\\/(?!api\\/)/.test(url)) loaded.push(url);
    return nextLoad(url, context);
  },
});
const [roles, tracing] = process.argv.slice(1);
await import(roles);
const { startTracer } = await import(tracing);
const before = loaded.length;
await startTracer({}, {});
const without = loaded.length;
const tracer = await startTracer({ traces: { ratio: 1, hasContent: false, batch: {} } }, {});
await tracer.close();
console.log(JSON.stringify({ before, without, traced: loaded.length }));
process.exit(0);
`;

test('the packages of OpenTelemetry are loaded by who traces, and by nobody else', () => {
  const files = ['cli/start-roles.ts', 'roles/tracing.ts'].map((file) => pathToFileURL(join(src, file)).href);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, ...files],
    { encoding: 'utf8', env: { PATH: process.env['PATH'] } },
  );
  assert.equal(status, 0, stderr);
  const { before, without, traced } = JSON.parse(stdout) as { before: number; without: number; traced: number };
  assert.deepEqual([before, without], [0, 0]);
  assert.ok(traced > 10, `${traced} modules`);
});

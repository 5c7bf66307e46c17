/** Prometheus and Grafana as docker-compose.yml has them: what is scraped is there, and the alerts are those that the docs promise. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { root } from '../package/entries.ts';
import { containerCommand, readServices } from '../support/cluster/compose-file.ts';
import { needPromtool } from '../support/programs.ts';

const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const services = readServices({ TURNKEEP_API_KEYS: 'me:secret', POSTGRES_PASSWORD: 'secret' });

const rules = z
  .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })) })
  .parse(parse(read('deploy/prometheus/alerts.yml')))
  .groups.flatMap((group) => group.rules);

test('the alerts are those of docs/metrics.md', () => {
  const metrics = read('docs/metrics.md');
  const listed = [...metrics.slice(metrics.indexOf('## What to be woken by')).matchAll(/^\| `(.+?)`\s+\|/gm)];
  assert.ok(listed.length >= 6);
  assert.deepEqual(
    rules.map(({ expr }) => expr).toSorted(),
    listed.map(([, expr = '']) => expr.replaceAll(String.raw`\|`, '|')).toSorted(),
  );
});

/** The folder of Prometheus' configuration beside that of the rules' tests; gone when the test is. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-prometheus-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, 'deploy/prometheus'), folder, { recursive: true });
  cpSync(join(import.meta.dirname, 'alert-rules.yml'), join(folder, 'alert-rules.yml'));
  return folder;
}

test('Prometheus takes its configuration', async (t) => {
  const promtool = await needPromtool(t);
  if (promtool === undefined) return;
  const { stdout } = await run(promtool, ['check', 'config', join(folderOf(t), 'prometheus.yml')]);
  assert.match(stdout, new RegExp(`${rules.length} rules found`));
});

test('each alert fires on what it is for, and none on a healthy cluster', async (t) => {
  const promtool = await needPromtool(t);
  if (promtool === undefined) return;
  const cwd = folderOf(t);
  await run(promtool, ['test', 'rules', 'alert-rules.yml'], { cwd }).catch((error: { stdout: string; stderr: string }) => {
    assert.fail(`${error.stdout}\n${error.stderr}`);
  });
  const tested = read('test/deploy/alert-rules.yml');
  for (const { alert } of rules) assert.equal(tested.split(`alertname: ${alert}`).length, 3, `${alert}: silent once, and loud once`);
});

test('what is scraped listens there', () => {
  const config = z.object({
    scrape_configs: z.array(
      z.object({
        job_name: z.string(),
        dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.number() })).default([]),
        static_configs: z.array(z.object({ targets: z.array(z.string()) })).default([]),
      }),
    ),
  });
  const { scrape_configs: jobs } = config.parse(parse(read('deploy/prometheus/prometheus.yml')));
  const targets = jobs.flatMap(({ dns_sd_configs: byName, static_configs: fixed }) => [
    ...byName.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
    ...fixed.flatMap((one) => one.targets),
  ]);
  const env = (service: string): Readonly<Record<string, string>> => containerCommand(service, services).environment;
  assert.deepEqual(targets, [
    `serve:${env('serve')['TURNKEEP_PORT']}`,
    `worker:${env('worker')['TURNKEEP_METRICS_PORT']}`,
    `temporal:${env('temporal')['PROMETHEUS_ENDPOINT']?.split(':')[1]}`,
  ]);
});

test('Grafana finds its dashboard and its data', () => {
  const mounts = z
    .object({ volumes: z.array(z.string()) })
    .parse(services['grafana'])
    .volumes.map((volume) => volume.split(':'));
  const dashboards = z
    .object({ providers: z.tuple([z.object({ options: z.object({ path: z.string() }) })]) })
    .parse(parse(read('deploy/grafana/provisioning/dashboards/turnkeep.yml')));
  const [source = ''] = mounts.find(([, target]) => target === dashboards.providers[0].options.path) ?? [];
  assert.equal(z.object({ uid: z.string() }).parse(JSON.parse(read(join(source, 'turnkeep.json')))).uid, 'turnkeep');
  const { datasources } = z
    .object({ datasources: z.array(z.object({ type: z.string(), url: z.string() })) })
    .parse(parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')));
  assert.deepEqual(datasources, [{ type: 'prometheus', url: 'http://prometheus:9090' }]);
});

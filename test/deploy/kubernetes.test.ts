/** deploy/kubernetes against Kubernetes' own schemas, the settings of turnkeep, and what its pods need. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../../src/config/read-config.ts';
import { settings } from '../../src/config/settings.ts';
import { root } from '../package/entries.ts';
import { containerCommand, readServices } from '../support/cluster/compose-file.ts';
import { needKubernetesValidate } from '../support/programs.ts';

const run = promisify(execFile);
const folder = join(root, 'deploy/kubernetes');
const files = readdirSync(folder);

const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const hardened = z.object({
  allowPrivilegeEscalation: z.literal(false),
  readOnlyRootFilesystem: z.literal(true),
  capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
});
const volumeMounts = z.array(z.object({ name: z.string(), mountPath: z.string() }));
const deployment = z.object({
  kind: z.literal('Deployment'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()), annotations: z.record(z.string(), z.string()) }),
      spec: z.object({
        automountServiceAccountToken: z.literal(false),
        enableServiceLinks: z.literal(false),
        securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.number(), seccompProfile: z.object({ type: z.string() }) }),
        terminationGracePeriodSeconds: z.number(),
        initContainers: z.tuple([
          z.object({
            image: z.literal('turnkeep'),
            args: z.tuple([z.literal('migrate')]),
            envFrom: z.array(z.unknown()),
            resources: z.object({ limits: z.object({ memory: z.string() }) }),
            securityContext: hardened,
            volumeMounts,
          }),
        ]),
        containers: z.tuple([
          z.object({
            image: z.literal('turnkeep'),
            args: z.tuple([z.string()]),
            env: z.array(z.object({ name: z.string(), value: z.string() })),
            ports: z.tuple([z.object({ name: z.string(), containerPort: z.number() })]),
            startupProbe: probe,
            livenessProbe: probe,
            readinessProbe: probe.optional(),
            lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
            resources: z.object({ limits: z.object({ memory: z.string() }) }),
            envFrom: z.array(z.unknown()),
            securityContext: hardened,
            volumeMounts,
          }),
        ]),
      }),
    }),
  }),
});

const documents: readonly unknown[] = files.flatMap((file) =>
  parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document): unknown => document.toJS()),
);
const ofKind = <Schema extends z.ZodType>(kind: string, schema: Schema): z.output<Schema>[] =>
  documents.filter((document) => z.object({ kind: z.literal(kind) }).safeParse(document).success).map((document) => schema.parse(document));
const deployments = ofKind('Deployment', deployment);
const named = z.object({ metadata: z.object({ name: z.string() }) });

test("the manifests obey Kubernetes' schemas, without a field that these do not know", async (t) => {
  const python = await needKubernetesValidate(t);
  if (python === undefined) return;
  const resources = files.filter((file) => file !== 'kustomization.yaml').map((file) => join(folder, file));
  const { stdout, stderr } = await run(python, ['-m', 'kubernetes_validate', '--strict', '-k', '1.37', ...resources]);
  const passed = `${stdout}${stderr}`.split('\n').filter((line) => / passed for resource /.test(line));
  // All documents but that of kustomize, which is no resource.
  assert.equal(passed.length, documents.length - 1);
  assert.doesNotMatch(`${stdout}${stderr}`, /WARN|ERROR/);
});

test('kustomize takes every file but the example of the secret', () => {
  const { resources } = z.object({ resources: z.array(z.string()) }).parse(parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')));
  assert.deepEqual([...resources, 'kustomization.yaml', 'secret.example.yaml'].toSorted(), files.toSorted());
});

test('the settings of each pod are accepted, and are settings', () => {
  const [config] = ofKind('ConfigMap', z.object({ data: z.record(z.string(), z.string()) }));
  const [secret] = ofKind('Secret', z.object({ stringData: z.record(z.string(), z.string()) }));
  const image = containerCommand('serve', readServices({ TURNKEEP_API_KEYS: 'a:b', POSTGRES_PASSWORD: 'c' }));
  assert.deepEqual(
    deployments.map(({ metadata }) => metadata.name),
    ['serve', 'worker'],
  );
  for (const { metadata, spec } of deployments) {
    const [container] = spec.template.spec.containers;
    const own = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
    const env = { TURNKEEP_HOST: image.environment['TURNKEEP_HOST'], ...config?.data, ...secret?.stringData, ...own };
    for (const name of Object.keys(env))
      assert.ok(
        settings.some((setting) => setting.env === name),
        name,
      );
    const { port, metricsPort } = readConfig({ env, cwd: '/' });
    assert.deepEqual(container.args, [metadata.name]);
    assert.equal(container.ports[0].containerPort, metadata.name === 'serve' ? port : metricsPort);
    assert.equal(spec.template.metadata.annotations['prometheus.io/port'], String(container.ports[0].containerPort));
    for (const { httpGet } of [
      container.startupProbe,
      container.livenessProbe,
      ...(container.readinessProbe ? [container.readinessProbe] : []),
    ]) {
      assert.equal(httpGet.port, container.ports[0].name);
    }
    assert.equal(container.livenessProbe.httpGet.path, '/healthz', 'a database that is away is no reason to restart');
    assert.equal(container.startupProbe.httpGet.path, '/healthz', 'a process that waits for Temporal is not restarted for it');
    const writable = container.volumeMounts.map(({ mountPath }) => mountPath);
    for (const variable of ['TURNKEEP_DATA_DIR', 'XDG_CACHE_HOME']) {
      assert.ok(
        writable.some((path) => image.environment[variable]?.startsWith(path)),
        variable,
      );
    }
    assert.deepEqual(spec.template.metadata.labels, spec.selector.matchLabels);
  }
  assert.equal(deployments[0]?.spec.template.spec.containers[0].readinessProbe?.httpGet.path, '/readyz?without=temporal');
});

test('before a pod starts, the tables are of its version: by its own image, with its own settings', () => {
  for (const { spec } of deployments) {
    const {
      initContainers: [migrate],
      containers: [container],
    } = spec.template.spec;
    assert.deepEqual(migrate.envFrom, container.envFrom);
    assert.deepEqual(migrate.volumeMounts, container.volumeMounts);
  }
});

test('a pod has longer to end than its streams', () => {
  const [config] = ofKind('ConfigMap', z.object({ data: z.object({ TURNKEEP_DRAIN_MS: z.string() }) }));
  for (const { spec } of deployments) {
    const { containers, terminationGracePeriodSeconds: graceSeconds } = spec.template.spec;
    const pauseSeconds = containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
    assert.ok(graceSeconds * 1_000 >= Number(config?.data.TURNKEEP_DRAIN_MS) + pauseSeconds * 1_000 + 10_000);
  }
});

test('service, disruption budgets and autoscalers mean these pods', () => {
  const labelsOf = (name: string): unknown => deployments.find(({ metadata }) => metadata.name === name)?.spec.selector.matchLabels;
  const services = ofKind('Service', named.extend({ spec: z.object({ selector: z.unknown().optional() }) }));
  for (const { metadata, spec } of services) assert.deepEqual(spec.selector, labelsOf(metadata.name));
  const budgets = ofKind('PodDisruptionBudget', named.extend({ spec: z.object({ selector: z.object({ matchLabels: z.unknown() }) }) }));
  for (const { metadata, spec } of budgets) assert.deepEqual(spec.selector.matchLabels, labelsOf(metadata.name));
  const target = z.object({ kind: z.literal('Deployment'), name: z.string() }).loose();
  const scalers = ofKind('HorizontalPodAutoscaler', named.extend({ spec: z.object({ scaleTargetRef: target }) }));
  for (const { metadata, spec } of scalers) assert.equal(spec.scaleTargetRef.name, metadata.name);
  assert.deepEqual([services.length, budgets.length, scalers.length], [2, 2, 2]);
});

test('the ingress shows the API and the page to the world, and neither metrics nor readiness', () => {
  const backend = z.object({ service: z.object({ name: z.string() }) });
  const paths = z.array(z.object({ path: z.string(), pathType: z.string(), backend }));
  const rules = z.tuple([z.object({ http: z.object({ paths }) })]);
  const [ingress] = ofKind('Ingress', z.object({ spec: z.object({ rules }) }));
  assert.deepEqual(
    ingress?.spec.rules[0].http.paths.map((each) => [each.path, each.pathType, each.backend.service.name]),
    [
      ['/metrics', 'Exact', 'nowhere'],
      ['/readyz', 'Exact', 'nowhere'],
      ['/', 'Prefix', 'serve'],
    ],
  );
  const services = ofKind('Service', named.extend({ spec: z.object({ selector: z.unknown().optional() }) }));
  assert.equal(services.find(({ metadata }) => metadata.name === 'nowhere')?.spec.selector, undefined, 'it has no pods');
});

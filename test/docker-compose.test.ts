/** docker-compose.yml and what it mounts, against the compose specification, the settings of turnkeep, and what its containers need. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';
import { dynamicConfig } from '../src/cli/dev-server/server-arguments.ts';
import { readConfig } from '../src/config/read-config.ts';
import { settings } from '../src/config/settings.ts';
import { root } from './package/entries.ts';
import { containerCommand, readServices } from './support/cluster/compose-file.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const text = read('docker-compose.yml');
const file: unknown = parse(text, { merge: true });

const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);
const { services } = z
  .object({
    services: z.record(
      z.string(),
      z.looseObject({
        image: z.string(),
        build: z.string().optional(),
        user: z.string().optional(),
        read_only: z.boolean(),
        cap_drop: z.array(z.string()),
        security_opt: z.array(z.string()),
        privileged: z.undefined().optional(),
        cap_add: z.undefined().optional(),
        restart: z.string(),
        mem_limit: z.string(),
        tmpfs: z.array(z.string()).default([]),
        volumes: z.array(z.string()).default([]),
        ports: z.array(z.string()).default([]),
        healthcheck: z.object({ test: z.array(z.string()) }).optional(),
        depends_on: z.record(z.string(), z.object({ condition })).default({}),
        env_file: z.array(z.object({ path: z.string(), required: z.boolean() })).optional(),
        stop_grace_period: z.string().optional(),
      }),
    ),
  })
  .parse(file);

const example = read('.env.example');
const needed = { TURNKEEP_API_KEYS: 'me:secret', POSTGRES_PASSWORD: 'abc123' };

test('docker-compose.yml obeys the compose specification', () => {
  const schema: unknown = JSON.parse(readFileSync(new URL('data/compose-spec.json', import.meta.url), 'utf8'));
  const { $schema: _, ...rules } = z.record(z.string(), z.unknown()).parse(schema);
  // Its formats (durations, ports) are looser than its patterns; it names its own dialect by an address ajv does not know.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  assert.ok(ajv.validate(rules, file), ajv.errorsText());
  assert.ok(!ajv.validate(rules, { services: { turnkeep: { imagee: 'x' } } }), 'the schema catches a misspelt key');
});

/** Given by docker-compose.yml itself, or the path of a file, which a container would look for in vain. */
const fixed =
  /^(TURNKEEP_(HOST|DATA_DIR|METRICS_PORT|CONFIG)|DATABASE_(LISTEN_)?URL|TEMPORAL_(ADDRESS|NAMESPACE|API_KEY|PROFILE|CONFIG_FILE|CLI|TLS.*))$/;

test('.env.example explains every setting and every variable of docker-compose.yml, and nothing else', () => {
  const named = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name = '']) => name);
  const interpolated = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  const wanted = new Set([...interpolated, ...settings.map(({ env }) => env).filter((name) => !fixed.test(name))]);
  assert.deepEqual(
    [...wanted].filter((name) => !named.includes(name)),
    [],
    'a line of .env.example each, with what it is for',
  );
  assert.deepEqual(
    named.filter((name) => !wanted.has(name)),
    [],
    'of what is no setting',
  );
  for (const block of example.split(/\n\n+/)) assert.match(block, /^# /, 'each block begins with what it is about');
  const ignored = ['.gitignore', '.dockerignore'].map((name) => read(name).split('\n'));
  for (const lines of ignored) assert.ok(lines.includes('.env'), 'it has secrets in it');
});

test('the defaults that .env.example shows are the real ones', () => {
  for (const [, name = '', value = ''] of example.matchAll(/^#([A-Z_]+)=(.+)$/gm)) {
    assert.equal(value, settings.find(({ env }) => env === name)?.default, name);
  }
  for (const [, name = '', value = ''] of text.matchAll(/\$\{(\w+):-([^}]+)\}/g)) {
    if (name !== 'OPENAI_BASE_URL') assert.match(example, new RegExp(`^${name}=${value}$`, 'm'));
  }
});

test('the settings of each turnkeep container are accepted, with only the needed variables set', () => {
  for (const service of ['migrate', 'serve', 'worker']) {
    const { command, environment } = containerCommand(service, readServices(needed));
    assert.deepEqual(command, ['node', 'bin/turnkeep.js', service]);
    const config = readConfig({ env: environment, cwd: '/' });
    assert.deepEqual([config.host, config.port, config.dataDir], ['0.0.0.0', 8484, '/data']);
    assert.equal(config.databaseUrl, 'postgres://turnkeep:abc123@postgres:5432/turnkeep');
    assert.deepEqual(config.temporal.connection, { address: 'temporal:7233' });
    assert.equal(config.provider.baseUrl, 'http://demo-model:8485/v1');
    assert.deepEqual(services[service]?.env_file, [{ path: '.env', required: false }]);
  }
  for (const name of Object.keys(needed)) {
    assert.throws(() => readServices({ ...needed, [name]: '' }), new RegExp(`needs ${name}: set it in .env`));
  }
  const { environment } = containerCommand('serve', readServices({ ...needed, OPENAI_BASE_URL: 'https://api.openai.com/v1' }));
  assert.equal(environment['OPENAI_BASE_URL'], 'https://api.openai.com/v1');
});

test("Temporal's server has the dynamic configuration of the dev server, and its tools are of its version", () => {
  const given = z.record(z.string(), z.tuple([z.object({ value: z.union([z.string(), z.number(), z.boolean()]) })]));
  const entries = Object.entries(given.parse(parse(read('deploy/temporal/dynamic-config.yaml'))));
  assert.deepEqual(Object.fromEntries(entries.map(([key, [{ value }]]) => [key, value])), dynamicConfig);
  const versionOf = (service: string): string | undefined => services[service]?.image.split(':')[1];
  assert.equal(versionOf('temporal-schema'), versionOf('temporal'));
  assert.equal(versionOf('temporal-namespace'), versionOf('temporal'));
});

test('nothing is published beyond this machine, and no port twice', () => {
  const published = Object.values(services).flatMap(({ ports }) => ports);
  for (const port of published) assert.match(port, /^127\.0\.0\.1:\$\{\w+:-\d+\}:\d+$/);
  const numbers = published.map((port) => /:-(\d+)/.exec(port)?.[1]);
  assert.equal(new Set(numbers).size, published.length);
});

test('every container is hardened, bounded, of an exact version, and known to be healthy before what needs it starts', () => {
  const awaited = Object.values(services).flatMap(({ depends_on: others }) => Object.entries(others));
  for (const [name, service] of Object.entries(services)) {
    assert.ok(service.read_only, name);
    assert.deepEqual([service.cap_drop, service.security_opt], [['ALL'], ['no-new-privileges:true']], name);
    assert.match(service.mem_limit, /^\d+[mg]$/, name);
    assert.notEqual(service.user, 'root', name);
    if (service.build === undefined) assert.match(service.image, /^[\w/-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?$/, name);
    const isJob = service.restart.startsWith('on-failure');
    // Our image brings its own, which knows each role.
    if (!isJob && service.build === undefined) assert.ok(service.healthcheck, name);
    for (const [other, { condition }] of awaited) {
      if (other === name) assert.equal(condition, isJob ? 'service_completed_successfully' : 'service_healthy', name);
    }
    for (const other of Object.keys(service.depends_on)) assert.ok(services[other], `${name} depends on ${other}`);
  }
  assert.match(read('Dockerfile'), /^HEALTHCHECK /m);
});

test('nothing of turnkeep starts before the tables are of its version', () => {
  const own = Object.entries(services).filter(([name, { build, env_file: settingsFile }]) => {
    return name !== 'migrate' && build !== undefined && settingsFile !== undefined;
  });
  assert.deepEqual(
    own.map(([name]) => name),
    ['serve', 'worker'],
  );
  for (const [, { depends_on: needs }] of own) assert.equal(needs['migrate']?.condition, 'service_completed_successfully');
  assert.deepEqual(services['migrate']?.depends_on, { postgres: { condition: 'service_healthy' } });
});

test('what is mounted is there, and cannot be written', () => {
  const mounted = Object.values(services).flatMap(({ volumes }) => volumes.filter((volume) => volume.startsWith('./')));
  assert.ok(mounted.length >= 7);
  for (const volume of mounted) {
    const [source = '', , mode] = volume.split(':');
    statSync(join(root, source));
    assert.equal(mode, 'ro', volume);
  }
  const kept = new Set(Object.keys(z.object({ volumes: z.record(z.string(), z.null()) }).parse(file).volumes));
  for (const volume of Object.values(services).flatMap(({ volumes }) => volumes)) {
    const [source = ''] = volume.split(':');
    assert.ok(source.startsWith('./') || kept.has(source), volume);
  }
});

test('what turnkeep writes is in memory: its root is read-only, and all that lasts is elsewhere', () => {
  for (const service of ['serve', 'worker']) {
    const { environment } = containerCommand(service, readServices(needed));
    const writable = services[service]?.tmpfs.map((mount) => mount.split(':')[0] ?? '') ?? [];
    for (const variable of ['TURNKEEP_DATA_DIR', 'XDG_CACHE_HOME']) {
      assert.ok(
        writable.some((folder) => environment[variable]?.startsWith(folder)),
        `${service}: ${variable}`,
      );
    }
  }
});

test('a stop waits for longer than running streams may take', () => {
  const drainMs = Number(settings.find(({ env }) => env === 'TURNKEEP_DRAIN_MS')?.default);
  for (const service of ['serve', 'worker']) {
    const [, seconds = ''] = /^(\d+)s$/.exec(services[service]?.stop_grace_period ?? '') ?? [];
    assert.ok(Number(seconds) * 1_000 >= drainMs + 10_000, service);
  }
});

test('the scripts of the jobs are read by a shell', () => {
  for (const script of ['schema.sh', 'namespace.sh']) execFileSync('sh', ['-n', join(root, 'deploy/temporal', script)]);
});

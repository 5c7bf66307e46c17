import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';
import { TEMPORAL_CLI_VERSION } from '../src/cli/dev-server/release.ts';
import { serverArguments } from '../src/cli/dev-server/server-arguments.ts';
import { readConfig } from '../src/config/read-config.ts';
import { settings } from '../src/config/settings.ts';

const text = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8');
const file: unknown = parse(text);
const { services } = z
  .object({
    services: z.object({
      temporal: z.object({ image: z.string(), command: z.array(z.string()), scale: z.string() }),
      turnkeep: z.object({
        environment: z.record(z.string(), z.string().nullable()),
        env_file: z.array(z.object({ path: z.string(), required: z.boolean() })),
        ports: z.array(z.string()),
      }),
    }),
  })
  .parse(file);

test('docker-compose.yml obeys the compose specification', () => {
  const schema: unknown = JSON.parse(readFileSync(new URL('data/compose-spec.json', import.meta.url), 'utf8'));
  const { $schema: _, ...rules } = z.record(z.string(), z.unknown()).parse(schema);
  // Its formats (durations, ports) are looser than its patterns; it names its own dialect by an address ajv does not know.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const isValid = ajv.validate(rules, file);
  assert.ok(isValid, ajv.errorsText());
  assert.ok(!ajv.validate(rules, { services: { turnkeep: { imagee: 'x' } } }), 'the schema catches a misspelt key');
});

test('every setting can be given: those that name no file by a variable, all of them by .env', () => {
  const namesFile = (name: string): boolean => /(_PATH|_FILE|_CLI|_CONFIG)$|^DATABASE_URL$/.test(name);
  // Accepted to be refused.
  const refused = 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION';
  const passed = settings.map((setting) => setting.env).filter((name) => !namesFile(name) && name !== refused);
  assert.deepEqual(Object.keys(services.turnkeep.environment).toSorted(), passed.toSorted());
  assert.deepEqual(services.turnkeep.env_file, [{ path: '.env', required: false }]);
  const ignored = ['.gitignore', '.dockerignore'].map((name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8').split('\n'));
  for (const lines of ignored) assert.ok(lines.includes('.env'), 'it has secrets in it');
});

test('every variable that docker-compose.yml reads is a setting of turnkeep, or the number of Temporal containers', () => {
  const known = new Set([...settings.map((setting) => setting.env), 'TEMPORAL_CONTAINERS']);
  const interpolated = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  assert.deepEqual(
    interpolated.filter((name) => !known.has(name)),
    [],
  );
});

/** As compose does it: `${NAME:-default}`, `${NAME:?message}`, and a name without a value, which is passed on if it is set. */
function containerEnvironment(shell: { readonly [name: string]: string }): { readonly [name: string]: string } {
  return Object.fromEntries(
    Object.entries(services.turnkeep.environment).flatMap(([name, value]) => {
      if (value === null) return shell[name] === undefined ? [] : [[name, shell[name]]];
      return [[name, value.replaceAll(/\$\{(\w+):[-?](.*?)\}/g, (_, variable: string, other: string) => shell[variable] || other)]];
    }),
  );
}

test('the settings of the turnkeep container are accepted, with only the required variable set', () => {
  const env = containerEnvironment({ TURNKEEP_API_KEYS: 'me:secret' });
  const config = readConfig({ env, cwd: '/' });
  assert.equal(config.databaseUrl, 'sqlite:/data/turnkeep.db');
  assert.deepEqual(config.temporal.connection, { address: 'temporal:7233' });
  assert.throws(() => readConfig({ env: { ...env, TURNKEEP_API_KEYS: '' }, cwd: '/' }), /TURNKEEP_HOST .* TURNKEEP_API_KEYS/);
});

test('a Temporal of its own is a matter of variables, and the port of this machine leaves that of the container alone', () => {
  const shell = { TURNKEEP_API_KEYS: 'me:secret', TEMPORAL_ADDRESS: 'mine:7233', TEMPORAL_API_KEY: 'k', TURNKEEP_PORT: '9000' };
  const { temporal, port } = readConfig({ env: containerEnvironment(shell), cwd: '/' });
  assert.equal(temporal.address, 'mine:7233');
  assert.equal(temporal.connection?.apiKey, 'k');
  assert.equal(port, 8484);
  assert.equal(services.temporal.scale, '${TEMPORAL_CONTAINERS:-1}');
});

test('the Temporal container is started as dev starts its server', () => {
  const server = { ip: '0.0.0.0', port: 7233, uiPort: 8233, namespace: 'default', databasePath: '/data/temporal.db' };
  assert.deepEqual(services.temporal.command, serverArguments(server));
  assert.equal(services.temporal.image, `temporalio/temporal:${TEMPORAL_CLI_VERSION}`);
});

test('nothing is published beyond this machine', () => {
  const published = [...text.matchAll(/ports: \['([^']*)'\]/g)].map(([, port]) => port);
  assert.equal(published.length, 2);
  for (const port of published) assert.match(port ?? '', /^127\.0\.0\.1:/);
});

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
      temporal: z.object({ image: z.string(), command: z.array(z.string()) }),
      turnkeep: z.object({ environment: z.record(z.string(), z.string()), ports: z.array(z.string()) }),
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

test('every variable of docker-compose.yml is a setting of turnkeep', () => {
  const known = new Set(settings.map((setting) => setting.env));
  const interpolated = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  const unknown = [...Object.keys(services.turnkeep.environment), ...interpolated].filter((name) => !known.has(name));
  assert.deepEqual(unknown, []);
});

test('the settings of the turnkeep container are accepted, with only the required variable set', () => {
  const env = Object.fromEntries(
    Object.entries(services.turnkeep.environment).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+:-(.*?)\}/, '$1').replace(/\$\{\w+:\?.*?\}/, 'me:secret'),
    ]),
  );
  const config = readConfig({ env, cwd: '/' });
  assert.equal(config.databaseUrl, 'sqlite:/data/turnkeep.db');
  assert.deepEqual(config.temporal.connection, { address: 'temporal:7233' });
  assert.throws(() => readConfig({ env: { ...env, TURNKEEP_API_KEYS: '' }, cwd: '/' }), /TURNKEEP_HOST .* TURNKEEP_API_KEYS/);
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

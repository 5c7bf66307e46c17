import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '../../src/config/config.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { sqlitePath } from '../../src/config/setting-values.ts';
import { settings } from '../../src/config/settings.ts';

type Env = { readonly [name: string]: string };

const key32 = Buffer.alloc(32, 7).toString('base64');

function problemsOf(env: Env, flags: Env = {}): readonly string[] {
  try {
    readConfig({ env, flags, cwd: '/home/me' });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('with nothing set, the defaults are those of the contract', () => {
  assert.deepEqual(readConfig({ env: {}, cwd: '/home/me' }), {
    host: '127.0.0.1',
    port: 8484,
    dataDir: '/home/me/.turnkeep',
    databaseUrl: 'sqlite:/home/me/.turnkeep/turnkeep.db',
    postgres: { poolSize: 10 },
    taskQueue: 'turnkeep',
    temporal: { namespace: 'default' },
    provider: { api: 'responses' },
    limits: {
      connectTimeoutMs: 10_000,
      firstEventTimeoutMs: 300_000,
      idleTimeoutMs: 120_000,
      turnTimeoutMs: 3_600_000,
      heartbeatTimeoutMs: 8_000,
      drainMs: 30_000,
      maxOutputBytes: 16_777_216,
    },
    record: 'wire',
    hasHeadStart: true,
    hasBreaker: true,
    retentionDays: 30,
    apiKeys: [],
    requiresKey: false,
    quotas: { requestsPerSecond: 0, maxRunningTurns: 1_000, maxWaitingTurns: 100 },
    intake: { maxInputItems: 10_000, maxBodyBytesAtOnce: 268_435_456, unsupportedTools: 'omit' },
    corsOrigins: [],
    titles: { isOn: false },
    webhooks: [],
    codecKeys: [],
  });
});

test('an empty string counts as unset, for every setting', () => {
  const env = Object.fromEntries(settings.map((setting) => [setting.env, '']));
  const flags = Object.fromEntries(settings.map((setting) => [setting.flag, '']));
  assert.deepEqual(readConfig({ env, flags, cwd: '/home/me' }), readConfig({ env: {}, cwd: '/home/me' }));
});

test('every setting has a flag of the same name, which overrides it', () => {
  assert.equal(new Set(settings.map((setting) => setting.flag)).size, settings.length);
  const config = readConfig({
    env: {
      TURNKEEP_PORT: '1',
      TURNKEEP_DATA_DIR: '/a',
      OPENAI_BASE_URL: 'http://a/v1',
      TEMPORAL_ADDRESS: 'a:1',
      TURNKEEP_CONNECT_TIMEOUT_MS: '1',
    },
    flags: { port: '2', 'data-dir': 'b', 'openai-base-url': 'http://b/v1', 'temporal-address': 'b:2', 'connect-timeout-ms': '2' },
    cwd: '/home/me',
  });
  assert.deepEqual(
    [
      config.port,
      config.dataDir,
      config.provider.baseUrl,
      config.temporal.address,
      config.temporal.connection,
      config.limits.connectTimeoutMs,
    ],
    [2, '/home/me/b', 'http://b/v1', 'b:2', { address: 'b:2' }, 2],
  );
});

test('the configuration is frozen to its depths', () => {
  const config = readConfig({ env: { TURNKEEP_API_KEYS: 'a:b', TEMPORAL_ADDRESS: 'x:1' }, cwd: '/' });
  for (const part of [config, config.limits, config.temporal, config.temporal.connection, config.apiKeys, config.apiKeys[0]])
    assert.ok(Object.isFrozen(part));
});

for (const [env, problem] of [
  [{ TURNKEEP_PORT: 'http' }, 'TURNKEEP_PORT must be a whole number from 0 to 65535; it is "http"'],
  [{ TURNKEEP_PORT: '65536' }, 'TURNKEEP_PORT must be a whole number from 0 to 65535; it is "65536"'],
  [{ TURNKEEP_HOST: 'http://x' }, 'TURNKEEP_HOST must be an IP address or a host name, without a port; it is "http://x"'],
  [{ TURNKEEP_IDLE_TIMEOUT_MS: '0' }, 'TURNKEEP_IDLE_TIMEOUT_MS must be a whole number of milliseconds from 1 to 2147483647; it is "0"'],
  [{ TURNKEEP_DRAIN_MS: '1.5' }, 'TURNKEEP_DRAIN_MS must be a whole number of milliseconds from 0 to 2147483647; it is "1.5"'],
  [{ TURNKEEP_RETENTION_DAYS: '-1' }, 'TURNKEEP_RETENTION_DAYS must be a whole number of days from 1 to 36500; it is "-1"'],
  [
    { TURNKEEP_REATTACH: 'on', OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1' },
    'TURNKEEP_REATTACH needs the Responses API in background mode; over Chat Completions no answer can be read on',
  ],
  [{ TURNKEEP_DEPLOYMENT_NAME: 'a.b' }, 'TURNKEEP_DEPLOYMENT_NAME must be up to 128 letters, digits, "_" and "-"; it is "a.b"'],
  [
    { TURNKEEP_DEPLOYMENT_VERSION: 'v1 beta' },
    'TURNKEEP_DEPLOYMENT_VERSION must be up to 128 letters, digits, ".", "_", "+" and "-" (such as 2026-01-31.2); it is "v1 beta"',
  ],
  [{ TURNKEEP_REATTACH: 'yes' }, 'TURNKEEP_REATTACH must be on or off; it is "yes"'],
  [{ TURNKEEP_MODEL_API: 'completions' }, 'TURNKEEP_MODEL_API must be chat or responses; it is "completions"'],
  [
    { TEMPORAL_ADDRESS: 'http://x:7233' },
    'TEMPORAL_ADDRESS must be host:port, without a scheme or a path (such as 127.0.0.1:7233); it is "http://x:7233"',
  ],
  [{ TEMPORAL_TLS: 'maybe' }, 'TEMPORAL_TLS must be 1, 0, true or false; it is "maybe"'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent; it is "loud"'],
  [
    { TURNKEEP_CODEC_KEYS: `a:${key32},a:${key32}` },
    'TURNKEEP_CODEC_KEYS has one id twice, so that the key of what is stored cannot be told: give each its own',
  ],
  [
    { TURNKEEP_CODEC_KEYS: `a:${key32},b:c2hvcnQ=` },
    'TURNKEEP_CODEC_KEYS must be id:base64 of 32 bytes,… (make one with `openssl rand -base64 32`); entry 2 is not',
  ],
  [{ TURNKEEP_REQUESTS_PER_SECOND: '-1' }, 'TURNKEEP_REQUESTS_PER_SECOND must be a whole number from 0 to 1000000; it is "-1"'],
  [{ TURNKEEP_MAX_RUNNING_TURNS: '0' }, 'TURNKEEP_MAX_RUNNING_TURNS must be a whole number from 1 to 1000000; it is "0"'],
  [{ TURNKEEP_MAX_WAITING_TURNS: 'many' }, 'TURNKEEP_MAX_WAITING_TURNS must be a whole number from 1 to 1000000; it is "many"'],
  [{ TURNKEEP_METRICS_PORT: '70000' }, 'TURNKEEP_METRICS_PORT must be a whole number from 0 to 65535; it is "70000"'],
  [{ TURNKEEP_RECORD: 'all' }, 'TURNKEEP_RECORD must be wire, answers or off; it is "all"'],
  [{ TURNKEEP_CIRCUIT_BREAKER: 'no' }, 'TURNKEEP_CIRCUIT_BREAKER must be on or off; it is "no"'],
  [{ TURNKEEP_HEAD_START: '1' }, 'TURNKEEP_HEAD_START must be on or off; it is "1"'],
  [{ TURNKEEP_MAX_OUTPUT_BYTES: '1023' }, 'TURNKEEP_MAX_OUTPUT_BYTES must be a whole number of bytes from 1024 to 268435456; it is "1023"'],
  [{ TURNKEEP_CONFIG: 'agents.json' }, 'TURNKEEP_CONFIG must be a file in .ts, .mts, .js or .mjs; it is "agents.json"'],
  [{ TURNKEEP_TITLES: 'yes' }, 'TURNKEEP_TITLES must be 1, 0, true or false; it is "yes"'],
  ...['http://a.example/', 'a.example', 'https://*.a.example', 'https://a.example,*', 'null', 'https://A.example'].map(
    (value): [Env, string] => [
      { TURNKEEP_CORS_ORIGINS: value },
      `TURNKEEP_CORS_ORIGINS must be * or origins as browsers send them, comma separated (such as http://localhost:3000,https://app.example); it is "${value}"`,
    ],
  ),
  [
    { TURNKEEP_API_KEYS: 'a:same,b:same' },
    'TURNKEEP_API_KEYS has one secret twice, so that its tenant cannot be told: give each name its own',
  ],
] satisfies [Env, string][]) {
  test(`refused by name: ${JSON.stringify(env).slice(0, 60)}`, () => {
    const problems = problemsOf(env);
    assert.ok(problems.includes(problem), problems.join('\n'));
  });
}

test('everything that is wrong is told at once, a flag by its own name', () => {
  const problems = problemsOf(
    { TURNKEEP_PORT: 'x', TURNKEEP_HOST: '0.0.0.0', DATABASE_URL: 'postgres://db', TEMPORAL_PROFILE: 'nobody' },
    { 'idle-timeout-ms': 'soon' },
  );
  assert.deepEqual(
    problems.map((problem) => problem.split(/ (?:must|is|cannot|postgres)/)[0] ?? '').toSorted((a, b) => a.localeCompare(b)),
    [
      '--idle-timeout-ms (TURNKEEP_IDLE_TIMEOUT_MS)',
      'DATABASE_URL',
      'TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and TEMPORAL_TLS_*',
      'TURNKEEP_HOST',
      'TURNKEEP_PORT',
    ],
  );
});

test('no message repeats a secret, however it is misspelt', () => {
  const secret = 'hunter2';
  const env = {
    OPENAI_BASE_URL: `http://user:${secret}@host/v1`,
    DATABASE_URL: `postgres://user:${secret}@host`,
    TURNKEEP_API_KEYS: `me:fine,${secret}`,
    TURNKEEP_CODEC_KEYS: `a:${secret}`,
  };
  const problems = problemsOf(env);
  assert.equal(problems.length, 4, problems.join('\n'));
  assert.doesNotMatch(problems.join('\n'), new RegExp(secret));
  assert.match(problems.join('\n'), /TURNKEEP_API_KEYS must be name:secret,….*; entry 2 is not/);
});

for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1']) {
  test(`without keys, ${host} is accepted`, () => assert.deepEqual(problemsOf({ TURNKEEP_HOST: host }), []));
}
for (const host of ['0.0.0.0', '::', '192.168.0.7', 'gateway.internal', '127.evil.example']) {
  test(`without keys, ${host} is refused, naming the ways out`, () => {
    const [problem = ''] = problemsOf({ TURNKEEP_HOST: host });
    assert.match(
      problem,
      /^TURNKEEP_HOST is .* no authentication: set TURNKEEP_API_KEYS to name:secret,…, or TURNKEEP_REQUIRE_KEY to on \(keys by turnkeep keys\), or TURNKEEP_HOST to 127\.0\.0\.1$/,
    );
    assert.deepEqual(problemsOf({ TURNKEEP_HOST: host, TURNKEEP_API_KEYS: 'me:secret' }), []);
    assert.deepEqual(problemsOf({ TURNKEEP_HOST: host, TURNKEEP_REQUIRE_KEY: 'on' }), []);
  });
}

test('keys are name and secret; a secret may hold colons, a name several secrets; T11 · only hashes are kept', () => {
  const config = readConfig({ env: { TURNKEEP_API_KEYS: 'me:hunter2:b, you:correct horse,me:swordfish' }, cwd: '/' });
  const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex');
  assert.deepEqual(config.apiKeys, [
    { name: 'me', hash: hashOf('hunter2:b') },
    { name: 'you', hash: hashOf('correct horse') },
    { name: 'me', hash: hashOf('swordfish') },
  ]);
  assert.doesNotMatch(JSON.stringify(config), /hunter2|horse|swordfish/);
});

test('limits, the head start, origins, titles and codec keys are read', () => {
  const config = readConfig({
    env: {
      TURNKEEP_HEAD_START: 'off',
      TURNKEEP_RECORD: 'answers',
      TURNKEEP_MAX_OUTPUT_BYTES: '1024',
      TURNKEEP_REQUESTS_PER_SECOND: '5',
      TURNKEEP_MAX_RUNNING_TURNS: '7',
      TURNKEEP_MAX_WAITING_TURNS: '9',
      TURNKEEP_CORS_ORIGINS: 'http://localhost:3000, https://app.example',
      TURNKEEP_METRICS_PORT: '0',
      TURNKEEP_TITLES: '1',
      TURNKEEP_TITLE_MODEL: 'small',
      TURNKEEP_CODEC_KEYS: `new:${key32},old:${Buffer.alloc(32, 8).toString('base64')}`,
    },
    cwd: '/',
  });
  assert.deepEqual([config.hasHeadStart, config.record, config.limits.maxOutputBytes], [false, 'answers', 1_024]);
  assert.deepEqual(config.quotas, { requestsPerSecond: 5, maxRunningTurns: 7, maxWaitingTurns: 9 });
  assert.deepEqual(config.corsOrigins, ['http://localhost:3000', 'https://app.example']);
  assert.equal(config.metricsPort, 0);
  assert.deepEqual(config.titles, { isOn: true, model: 'small' });
  assert.deepEqual(
    config.codecKeys.map(({ id, key }) => [id, key[0], key.length]),
    [
      ['new', 7, 32],
      ['old', 8, 32],
    ],
  );
  assert.deepEqual(readConfig({ env: { TURNKEEP_CORS_ORIGINS: '*' }, cwd: '/' }).corsOrigins, ['*']);
});

test('the file of agents is named relative to the working directory; none is named where nothing is said', () => {
  const pathOf = (env: Env, flags: Env = {}) => readConfig({ env, flags, cwd: '/home/me' }).configPath;
  assert.deepEqual(
    [pathOf({}), pathOf({ TURNKEEP_CONFIG: 'a.ts' }), pathOf({ TURNKEEP_CONFIG: 'a.ts' }, { config: '/b.mjs' })],
    [undefined, '/home/me/a.ts', '/b.mjs'],
  );
});

for (const [baseUrl, api] of [
  [undefined, 'responses'],
  ['https://api.openai.com/v1', 'responses'],
  ['https://eu.api.openai.com/v1', 'responses'],
  ['https://api.openai.com.example/v1', 'chat'],
  ['http://127.0.0.1:11434/v1', 'chat'],
] as const) {
  test(`the provider at ${baseUrl ?? 'no address'} is taken to speak ${api}`, () => {
    assert.equal(readConfig({ env: baseUrl ? { OPENAI_BASE_URL: baseUrl } : { OPENAI_API_KEY: 'k' }, cwd: '/' }).provider.api, api);
    assert.equal(readConfig({ env: { OPENAI_BASE_URL: baseUrl, TURNKEEP_MODEL_API: 'chat' }, cwd: '/' }).provider.api, 'chat');
  });
}

test('answers are read on where that is asked for, and not without', () => {
  const reattachOf = (env: Record<string, string>) => readConfig({ env: { OPENAI_API_KEY: 'k', ...env }, cwd: '/' }).provider.reattach;
  assert.deepEqual(
    [reattachOf({}), reattachOf({ TURNKEEP_REATTACH: 'off' }), reattachOf({ TURNKEEP_REATTACH: 'on' })],
    [undefined, undefined, true],
  );
  assert.equal(reattachOf({ TURNKEEP_REATTACH: 'on', OPENAI_BASE_URL: 'http://127.0.0.1/v1', TURNKEEP_MODEL_API: 'responses' }), true);
});

for (const [url, path] of [
  ['sqlite:/a/b.db', '/a/b.db'],
  ['sqlite:///a/b.db', '/a/b.db'],
  ['sqlite:b.db', '/home/me/b.db'],
] as const) {
  test(`${url} is the file ${path}`, () => {
    const { databaseUrl } = readConfig({ env: { DATABASE_URL: url }, cwd: '/home/me' });
    assert.deepEqual([databaseUrl, sqlitePath(databaseUrl)], [`sqlite:${path}`, path]);
  });
}
for (const url of ['sqlite:', 'sqlite::memory:', 'mysql://x/y', '/a/b.db', 'postgres://', 'postgres://host', 'postgres:///name']) {
  test(`${url} is refused as a database`, () =>
    assert.match(problemsOf({ DATABASE_URL: url }).join('\n'), /^DATABASE_URL must (be sqlite:PATH|name a server and a database)/));
}

test('Temporal is read as its own tools read it: variables over the profile in the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-config-'));
  const file = join(folder, 'temporal.toml');
  writeFileSync(
    file,
    '[profile.default]\naddress = "from-file:7233"\nnamespace = "from-file"\n[profile.cloud]\naddress = "cloud:7233"\napi_key = "k"\n',
  );
  try {
    assert.deepEqual(
      readConfig({ env: { TEMPORAL_CONFIG_FILE: file, TEMPORAL_NAMESPACE: 'mine', TEMPORAL_ADDRESS: '' }, cwd: '/' }).temporal,
      {
        address: 'from-file:7233',
        namespace: 'mine',
        connection: { address: 'from-file:7233' },
      },
    );
    assert.deepEqual(
      readConfig({ env: { TEMPORAL_CONFIG_FILE: file, TEMPORAL_GRPC_META_TEAM: 'blue' }, flags: { 'temporal-profile': 'cloud' }, cwd: '/' })
        .temporal,
      {
        address: 'cloud:7233',
        namespace: 'default',
        connection: { address: 'cloud:7233', apiKey: 'k', tls: true, metadata: { team: 'blue' } },
      },
    );
    assert.match(
      problemsOf({ TEMPORAL_TLS_CLIENT_CERT_PATH: join(folder, 'none.pem') }).join(),
      /TEMPORAL_TLS_\* cannot be used: .*none\.pem cannot be read \(ENOENT\)/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

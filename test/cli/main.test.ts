import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settings } from '../../src/config/settings.ts';
import { folderOf } from './folder.ts';

const root = join(import.meta.dirname, '../..');

function turnkeep(args: readonly string[], env: { readonly [name: string]: string } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin/turnkeep.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: '/none', ...env },
    cwd: root,
  });
  return { status, stdout, stderr };
}

test('--version and --help say so and succeed', () => {
  assert.deepEqual(turnkeep(['--version']), { status: 0, stdout: '0.1.0\n', stderr: '' });
  const { status, stdout } = turnkeep(['--help']);
  assert.equal(status, 0);
  for (const command of ['dev', 'serve', 'gateway', 'worker', 'chat']) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
});

test('the help of serve shows how replicas are started', () => {
  const { status, stdout } = turnkeep(['serve', '--help']);
  assert.equal(status, 0);
  assert.match(stdout, /^  TEMPORAL_ADDRESS=\S+ OPENAI_API_KEY=\S+ turnkeep serve --data-dir \S+ --port 8485$/m);
});

test("a command's help names what it reads, by variable and by flag, and every command's log level", () => {
  const listed = (command: string): ((env: string) => boolean) => {
    const { stdout } = turnkeep([command, '--help']);
    for (const { env, flag } of settings) assert.equal(stdout.includes(`--${flag} <`), stdout.includes(`(${env}`), env);
    assert.match(stdout, new RegExp(`LOG_LEVEL; default ${command === 'dev' ? 'warn' : 'info'}`));
    return (env) => stdout.includes(`(${env}`);
  };
  const [dev, gateway, worker] = [listed('dev'), listed('gateway'), listed('worker')];
  for (const env of ['TURNKEEP_DATA_DIR', 'OPENAI_API_KEY', 'TEMPORAL_ADDRESS', 'TURNKEEP_DRAIN_MS']) {
    assert.deepEqual([dev(env), gateway(env), worker(env)], [true, true, true], env);
  }
  for (const env of ['TURNKEEP_PORT', 'TURNKEEP_CORS_ORIGINS'])
    assert.deepEqual([dev(env), gateway(env), worker(env)], [true, true, false], env);
  assert.deepEqual(
    [dev, gateway, worker].map((reads) => reads('TURNKEEP_METRICS_PORT')),
    [false, false, true],
  );
  assert.deepEqual(
    [dev, gateway, worker].map((reads) => reads('TEMPORAL_CLI')),
    [true, false, false],
  );
  assert.deepEqual(
    [dev, gateway, worker].map((reads) => reads('TURNKEEP_FIRST_EVENT_TIMEOUT_MS')),
    [true, false, true],
  );
});

test('a misspelt variable and a flag that this role does not read are told, and the command goes on', () => {
  const { status, stderr } = turnkeep(['worker', '--port', '1'], { TURNKEEP_PROT: '1', OPENAI_API_KEY: 'x' });
  assert.match(stderr, /^turnkeep: --port is not read by turnkeep worker, and is ignored\n/);
  assert.match(stderr, /^turnkeep: TURNKEEP_PROT is no setting of turnkeep and is ignored: did you mean TURNKEEP_PORT\?\n/m);
  assert.equal(status, 2, 'there is no Temporal');
});

for (const [args, complaint] of [
  [['frobnicate'], "error: unknown command 'frobnicate'"],
  [['frobnicate', '--help'], "error: unknown command 'frobnicate'"],
  [['dev', '--bogus'], "error: unknown option '--bogus'"],
  [['dev', 'extra'], "error: too many arguments for 'dev'"],
  [['gateway', '--port'], "error: option '--port <value>' argument missing"],
] as const) {
  test(`turnkeep ${args.join(' ')} is refused with exit code 2`, () => {
    const { status, stdout, stderr } = turnkeep(args);
    assert.deepEqual([status, stdout, stderr.startsWith(complaint)], [2, '', true], stderr);
  });
}

test('wrong settings are printed plainly, all of them, with exit code 2', () => {
  assert.deepEqual(turnkeep(['dev', '--port', 'x'], { TURNKEEP_HOST: '0.0.0.0' }), {
    status: 2,
    stdout: '',
    stderr: `turnkeep: the settings cannot be used:
  --port (TURNKEEP_PORT) must be a whole number from 0 to 65535; it is "x"
  TURNKEEP_HOST is "0.0.0.0", open to others, and there is no authentication: set TURNKEEP_API_KEYS to name:secret,…, or TURNKEEP_REQUIRE_KEY to on (keys by turnkeep keys), or TURNKEEP_HOST to 127.0.0.1
`,
  });
});

test('a configuration that cannot be used is told like a wrong setting, all of it, before anything is started', (context) => {
  const folder = folderOf(context);
  const path = join(folder, 'agents.ts');
  writeFileSync(
    path,
    `import { defineConfig } from 'turnkeep/config';
export default defineConfig({ agents: { writer: { model: 'm', tools: ['serch'] } }, limit: {} } as never);`,
  );
  const complaint = `turnkeep: the settings cannot be used:
  ${path}: limit: is not known; did you mean "limits"?
  ${path}: agents.writer.tools[0]: no tool "serch" (there is agent:writer)
`;
  for (const command of ['dev', 'serve', 'gateway', 'worker']) {
    const { status, stdout, stderr } = turnkeep([command, '--config', path], { OPENAI_API_KEY: 'x' });
    assert.deepEqual([status, stdout, stderr], [2, '', complaint]);
  }
  const both = turnkeep(['gateway', '--port', 'x'], { TURNKEEP_CONFIG: path, TURNKEEP_PROT: '1' });
  const [head = '', ...mistakes] = complaint.split('\n');
  assert.deepEqual(
    both.stderr.split('\n').slice(1),
    [head, '  --port (TURNKEEP_PORT) must be a whole number from 0 to 65535; it is "x"', ...mistakes],
    'those of the environment hide none of the file',
  );
  assert.match(both.stderr, /^turnkeep: TURNKEEP_PROT is no setting/);
  const gone = turnkeep(['gateway'], { TURNKEEP_CONFIG: '/none/turnkeep.config.ts' });
  assert.deepEqual(
    [gone.status, gone.stderr],
    [2, 'turnkeep: the settings cannot be used:\n  TURNKEEP_CONFIG (--config) names /none/turnkeep.config.ts, which is not there\n'],
  );
});

test('without a provider of the environment, a worker needs agents that all have one of their own', (context) => {
  const folder = folderOf(context);
  const write = (name: string, model: string): string => {
    const path = join(folder, name);
    const agents = `{ one: { model: 'local/m' }, two: { model: '${model}' } }`;
    const text = `import { defineConfig } from 'turnkeep/config';
export default defineConfig({ providers: { local: { baseUrl: 'http://127.0.0.1:1/v1' } }, agents: ${agents} });`;
    writeFileSync(path, text);
    return path;
  };
  const without = turnkeep(['worker', '--config', write('a.ts', 'm')]);
  assert.match(without.stderr, /both unset, so the agent two of the configuration has no model to ask/);
  const own = turnkeep(['worker', '--config', write('b.ts', 'local/n'), '--data-dir', folder]);
  assert.match(own.stderr, /TEMPORAL_ADDRESS is not set/);
});

for (const command of ['serve', 'worker']) {
  test(`turnkeep ${command} without a provider is refused by name`, () => {
    const { status, stderr } = turnkeep([command]);
    assert.equal(status, 2);
    assert.ok(stderr.includes(`OPENAI_BASE_URL and OPENAI_API_KEY are both unset, so \`turnkeep ${command}\` has no model`), stderr);
  });
}

test('a gateway with neither TEMPORAL_ADDRESS nor a running dev is refused by name', (context) => {
  const dataDir = folderOf(context);
  const { status, stderr } = turnkeep(['gateway', '--data-dir', dataDir]);
  assert.equal(status, 2);
  assert.ok(stderr.includes(`TEMPORAL_ADDRESS is not set, and no turnkeep dev runs on ${dataDir} (TURNKEEP_DATA_DIR)`), stderr);
});

test('a dev with a TEMPORAL_CLI that is none fails in one plain message', (context) => {
  const { status, stdout, stderr } = turnkeep(['dev', '--data-dir', folderOf(context)], { TEMPORAL_CLI: '/none/temporal' });
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^turnkeep: TEMPORAL_CLI is \/none\/temporal, which does not work: there is no \/none\/temporal\. .*\n$/);
});

test('the built command on a Node that is too old says so, in a language that old ones understand', () => {
  // The same file with another version in place of this Node's: there is no old one here.
  const run = (version: string) => {
    const script = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); await import(${JSON.stringify(join(root, 'bin/turnkeep.js'))});`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  };
  for (const version of ['12.22.12', '20.20.2', '22.17.9']) {
    const { status, stdout, stderr } = run(version);
    assert.deepEqual([status, stdout, stderr], [2, '', `turnkeep needs Node 22.19 or newer, this is v${version}.\n`]);
  }
});

/** `turnkeep dev` itself, as a process, with a real Temporal dev server and the demo model. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { test, type TestContext } from 'node:test';
import { Role } from '../support/processes.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';
import { Viewer } from '../support/viewer.ts';
import { folderOf } from './folder.ts';

const cli = await testTemporalProgram();

function roleOf(context: TestContext, dataDir: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Role {
  const role = new Role([...args, '--port', '0', '--data-dir', dataDir], {
    PATH: process.env['PATH'],
    HOME: dataDir,
    ...testCache,
    TEMPORAL_CLI: cli,
    ...env,
  });
  context.after(() => role.kill());
  return role;
}

async function devOf(context: TestContext, dataDir: string, env: NodeJS.ProcessEnv = {}) {
  const role = roleOf(context, dataDir, ['dev'], env);
  await role.says(/^Ctrl-C stops it\.$/);
  return { role, record: JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8')) };
}

async function ask(baseUrl: string): Promise<string> {
  const response = await fetch(`${baseUrl}/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'hello' }),
  });
  const { status }: { status?: unknown } = JSON.parse(await response.text());
  return `${response.status} ${String(status)}`;
}

test('dev says where everything is, answers, refuses a second, survives kill -9, and drains with exit code 0', async (context) => {
  const dataDir = folderOf(context);
  const first = await devOf(context, dataDir);
  const { temporalAddress, uiUrl, baseUrl } = first.record;
  assert.deepEqual(first.role.output, [
    'turnkeep is ready',
    `  API       ${baseUrl}`,
    `  Page      ${new URL('/', baseUrl).href}`,
    `  Temporal  ${uiUrl} (the server itself: ${temporalAddress})`,
    `  Data      ${dataDir}`,
    '  Model     a demo; OPENAI_BASE_URL or OPENAI_API_KEY sets a real one',
    'Ctrl-C stops it.',
  ]);
  assert.equal(await ask(baseUrl), '200 completed');
  assert.ok(existsSync(join(dataDir, 'temporal.db')) && existsSync(join(dataDir, 'turnkeep.db')));
  assert.equal((await fetch(uiUrl)).status, 200);

  const connection = await Connection.connect({ address: String(temporalAddress) });
  const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
  assert.equal(Number(config?.workflowExecutionRetentionTtl?.seconds), 30 * 86_400, 'as long as TURNKEEP_RETENTION_DAYS');
  await connection.close();

  const second = roleOf(context, dataDir, ['dev']);
  assert.equal(await second.ended(), 2);
  assert.match(
    second.output.join('\n'),
    new RegExp(`^turnkeep: Another turnkeep dev runs on ${dataDir} \\(pid ${first.record.pid}, ${baseUrl}\\)\\.`),
  );

  const gateway = roleOf(context, dataDir, ['gateway'], { LOG_LEVEL: 'silent', TURNKEEP_MODEL: 'demo' });
  const [, url = ''] = await gateway.says(/^turnkeep gateway listens on (\S+)$/);
  assert.equal(await ask(`${url}/v1`), '200 completed');
  gateway.signal('SIGTERM');
  assert.equal(await gateway.ended(), 0);

  const stranger = roleOf(context, dataDir, ['gateway'], { TEMPORAL_NAMESPACE: 'other', TURNKEEP_TASK_QUEUE: 'other' });
  assert.equal(await stranger.ended(), 2);
  assert.match(
    stranger.output.join('\n'),
    /TEMPORAL_NAMESPACE is other, but .* has default[^]*TURNKEEP_TASK_QUEUE is other, but .* has turnkeep/,
  );

  await first.role.kill();
  const next = await devOf(context, dataDir);
  assert.equal(await ask(next.record.baseUrl), '200 completed');
  next.role.signal('SIGTERM');
  assert.equal(await next.role.ended(), 0);
  assert.equal(next.role.output.at(-1), 'Stopping: running turns may finish. Once more ends at once.');
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`a second ${signal} ends a draining dev at once with exit code ${code}`, async (context) => {
    const { role, record } = await devOf(context, folderOf(context), { TURNKEEP_DRAIN_MS: '600000' });
    // A turn of half a minute, which the drain waits for once it has begun.
    const viewer = await Viewer.open(`${record.baseUrl}/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'slow', stream: true }),
    });
    await viewer.until(({ text }) => text !== '');
    role.signal(signal);
    await role.says(/^Stopping/);
    role.signal(signal);
    assert.equal(await role.ended(), code);
    await viewer.ended;
  });
}

test('a signal while Temporal is not up yet ends a gateway with exit code 0, and the log says what it waited for', async (context) => {
  const gateway = roleOf(context, folderOf(context), ['gateway'], { TEMPORAL_ADDRESS: 'nobody.invalid:7233' });
  await gateway.says(/Temporal does not answer at nobody\.invalid:7233; trying again in 500 ms/);
  assert.match(JSON.parse(gateway.output[0] ?? '').reason, /dns error/);
  gateway.signal('SIGTERM');
  assert.equal(await gateway.ended(), 0);
});

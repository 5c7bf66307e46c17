/** The job of docker-compose.yml that makes Temporal's namespace, with the command that its image has too. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../package/entries.ts';
import { sharedTemporalServer, testTemporalProgram } from '../support/temporal-server.ts';

const run = promisify(execFile);

test('the namespace is made, and its retention follows a later change', async (t) => {
  const { address } = await sharedTemporalServer();
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-namespace-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const temporal = await testTemporalProgram();
  symlinkSync(temporal, join(folder, 'temporal'));
  const env = {
    PATH: `${folder}${delimiter}${process.env['PATH']}`,
    HOME: folder,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: `made-${crypto.randomUUID()}`,
  };
  for (const [retention, seconds] of [
    ['7d', 604_800],
    ['30d', 2_592_000],
  ] as const) {
    await run('sh', [join(root, 'deploy/temporal/namespace.sh')], { env: { ...env, TEMPORAL_RETENTION: retention } });
    const { stdout } = await run(temporal, ['operator', 'namespace', 'describe', '--output', 'json'], { env });
    assert.match(stdout, new RegExp(`"workflowExecutionRetentionTtl": ?"${seconds}s"`));
  }
});

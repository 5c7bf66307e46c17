/** docs/operations.md, "Backup and restore", on Postgres: a dump of a running turnkeep, and a start on what was restored from it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Finding } from '../../src/store/ports/diagnosis.ts';
import { chat, chatAnswer, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { createDatabase } from '../support/postgres-server.ts';
import { startCluster } from '../support/processes.ts';
import { needPostgres } from '../support/programs.ts';
import { Viewer } from '../support/viewer.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const run = promisify(execFile);

test(
  'a dump that is made while a turn runs has every turn before it, and the one that ran gets its end where it is restored',
  { timeout: 120_000 },
  async (context) => {
    const programs = await needPostgres(context);
    if (programs === undefined) return;
    await using original = await createDatabase();
    await using restored = await createDatabase({ isMigrated: false });
    await using cluster = await startCluster({ env: { DATABASE_URL: original.url } });
    cluster.model.enqueue(chatAnswer('Hello'), [sseHead, chat.content('Hel'), stall], chatAnswer('again'));
    const { role, url } = await cluster.startServe();
    const conversation = ((await (await fetch(`${url}/v1/conversations`, { method: 'POST' })).json()) as { id: string }).id;
    const before = await post(url, { input: 'hi', conversation });
    const running = String((await post(url, { input: 'ho', background: true })).json?.['id']);
    const viewer = await Viewer.open(`${url}/v1/responses/${running}?stream=true`);
    await viewer.untilText('Hel');

    const file = join(folderOf(context), 'turnkeep.dump');
    await run(join(programs, 'pg_dump'), ['--format=custom', `--file=${file}`, original.url]);
    await role.kill();
    await run(join(programs, 'pg_restore'), ['--exit-on-error', '--no-owner', `--dbname=${restored.url}`, file]);

    const check = await turnkeep('migrate', '--check', '--database-url', restored.url);
    assert.equal(check.code, 0, check.stdout + check.stderr);
    const again = await cluster.startServe({ DATABASE_URL: restored.url });
    const kept = (await (await fetch(`${again.url}/v1/responses/${String(before.json?.['id'])}`)).json()) as object;
    assert.deepEqual(kept, before.json);
    const seen = await Viewer.open(`${again.url}/v1/responses/${running}?stream=true`);
    await seen.ended;
    assert.deepEqual([seen.text, seen.last.response.error?.code], ['Hel', 'worker_lost']);
    assert.equal((await post(again.url, { input: 'hey', conversation })).json?.['status'], 'completed');

    const { stdout } = await turnkeep('doctor', '--json', '--database-url', restored.url);
    const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
    const ofDatabase = findings
      .filter(({ check }) => /^(?:database|default partition)/.test(check))
      .map(({ check, status }) => `${check}: ${status}`);
    assert.ok(ofDatabase.includes('database partitions: ok'), stdout);
    assert.deepEqual(
      ofDatabase.filter((each) => !each.endsWith(': ok')),
      [],
    );

    const refused = await turnkeep('backup', join(folderOf(context), 'copies'), '--database-url', restored.url);
    assert.deepEqual([refused.code, /pg_dump/.test(refused.stderr)], [2, true]);
    await again.role.kill();
  },
);

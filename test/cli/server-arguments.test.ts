/** The server takes unknown settings without a word; these tests are what would tell of a renamed one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { dynamicConfig, serverArguments } from '../../src/cli/dev-server/server-arguments.ts';
import { startDevServer } from '../../src/cli/dev-server/start.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { folderOf } from './folder.ts';

const program = await testTemporalProgram();
const complaint = /Failed to convert value, using default" key=(\S+)/;
const patienceMs = 60_000;
/** Read when they are first needed, not at the start. */
const readLate = new Set(['history.workflowIdReuseMinimalInterval', 'system.enableCancelActivityWorkerCommand']);

test('the server knows every setting that it is given', () => {
  const bytes = readFileSync(program);
  assert.deepEqual(
    Object.keys(dynamicConfig).filter((key) => !bytes.includes(key)),
    [],
  );
});

test('the server reads every setting: it complains of a wrong value, and of none of ours', async (context) => {
  const wrong = Object.keys(dynamicConfig).flatMap((key) => ['--dynamic-config-value', `${key}="nonsense"`]);
  const [port = 0] = await freePorts([undefined]);
  const args = serverArguments({ ip: '127.0.0.1', port, namespace: 'default' }).filter(
    (argument) => argument !== '--dynamic-config-value' && !argument.includes('='),
  );
  const server = spawn(program, [...args, ...wrong], { stdio: ['ignore', 'ignore', 'pipe'] });
  context.after(() => server.kill('SIGKILL'));
  const missing = new Set(
    Object.keys(dynamicConfig)
      .filter((key) => !readLate.has(key))
      .map((key) => key.toLowerCase()),
  );
  // A server that never complains of all of them says no more once it is gone, and what is missing is told below.
  const patience = setTimeout(() => server.kill('SIGKILL'), patienceMs);
  for await (const line of createInterface({ input: server.stderr })) {
    missing.delete(complaint.exec(line)?.[1] ?? '');
    if (missing.size === 0) break;
  }
  clearTimeout(patience);
  assert.deepEqual([...missing], []);

  const logPath = join(folderOf(context), 'log');
  const ours = await startDevServer({ program, namespace: 'default', hasUi: false, logPath });
  await ours.stop();
  assert.doesNotMatch(readFileSync(logPath, 'utf8'), complaint);
});

test('the server keeps its database in WAL mode: a commit waits for no disk, and a kill loses none', async (context) => {
  const folder = folderOf(context);
  const databasePath = join(folder, 'temporal.db');
  const server = await startDevServer({ program, namespace: 'default', hasUi: false, logPath: join(folder, 'log'), databasePath });
  context.after(() => server.stop());
  const database = new DatabaseSync(databasePath, { readOnly: true });
  context.after(() => database.close());
  assert.deepEqual({ ...database.prepare('PRAGMA journal_mode').get() }, { journal_mode: 'wal' });
});

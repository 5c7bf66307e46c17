/** What takes longest at a start of `dev` is done at the same time: Temporal's server starts while its SDK is loaded. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf } from './folder.ts';

const root = join(import.meta.dirname, '../..');

/** Prints what comes when: the watchdog of the server, and the SDK's native library. */
const probe = `
const childProcess = require('node:child_process');
const { spawn } = childProcess;
childProcess.spawn = (program, args, ...rest) => {
  if (args.some((argument) => /watchdog\\.[jt]s$/.test(argument))) console.log('probe: server');
  return spawn(program, args, ...rest);
};
const module_ = require('node:module');
module_.syncBuiltinESMExports();
module_.registerHooks({
  load(url, context, nextLoad) {
    if (url.endsWith('/@temporalio/core-bridge/index.js')) console.log('probe: SDK');
    return nextLoad(url, context);
  },
});
`;

test("dev starts Temporal's server before it loads the SDK", (context) => {
  const folder = folderOf(context);
  const script = join(folder, 'probe.cjs');
  writeFileSync(script, probe);
  // Serves nothing: that the start fails then is of no matter here.
  const cli = join(folder, 'temporal');
  writeFileSync(cli, '#!/bin/sh\n[ "$1" = --version ] && echo "temporal version 1.9.1" || exit 1\n', { mode: 0o755 });
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--require', script, 'src/cli/main.ts', 'dev', '--port', '0', '--data-dir', join(folder, 'data')],
    { cwd: root, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder, TEMPORAL_CLI: cli } },
  );
  const seen = stdout.split('\n').filter((line) => line.startsWith('probe: '));
  assert.deepEqual(seen, ['probe: server', 'probe: SDK'], stderr);
});

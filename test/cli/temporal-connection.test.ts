import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { startDevServer } from '../../src/cli/dev-server/start.ts';
import { connectTemporal } from '../../src/cli/temporal-connection.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { folderOf } from './folder.ts';

test('a server that is not up yet is waited for, with a line in the log for each attempt', async (context) => {
  const [port = 0] = await freePorts([undefined]);
  const address = `127.0.0.1:${port}`;
  const { promise: complained, resolve } = Promise.withResolvers<string>();
  const log = pino(new Writable({ write: (chunk: Buffer, _encoding, done) => (resolve(chunk.toString()), done()) }));

  const connecting = connectTemporal({ address }, log, AbortSignal.timeout(60_000));
  const { msg, reason } = JSON.parse(await complained);
  assert.equal(msg, `Temporal does not answer at ${address}; trying again in 500 ms`);
  assert.match(reason, /Connection refused/);

  const program = await testTemporalProgram();
  const server = await startDevServer({
    program,
    namespace: 'default',
    hasUi: false,
    preferredPorts: { port },
    logPath: join(folderOf(context), 'log'),
  });
  context.after(() => server.stop());
  assert.equal(server.port, port);
  await (await connecting).close();
});

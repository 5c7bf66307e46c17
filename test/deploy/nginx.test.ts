/** The nginx of docker-compose.yml in front of gateways that are torn from it: what is sent again, and what is said to the client. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { containerCommand, readServices } from '../support/cluster/compose-file.ts';
import { planNginx } from '../support/cluster/nginx.ts';
import { ClusterProcess } from '../support/cluster/process.ts';
import { needNginx } from '../support/programs.ts';

interface FakeGateway {
  readonly address: string;
  /** Method and path of all that came. */
  readonly asked: string[];
}

async function startGateway(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<FakeGateway> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    // With its body, whole: then it was taken in.
    request.resume().once('end', () => answer(request, response));
  });
  server.on('upgrade', (request, socket) => {
    asked.push(`${request.headers.upgrade} ${request.url}`);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** @returns its address; undefined where the test has been skipped */
async function startNginx(t: TestContext, servers: readonly string[]): Promise<string | undefined> {
  if ((await needNginx(t)) === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-nginx-'));
  const container = containerCommand('nginx', readServices({ TURNKEEP_API_KEYS: 'me:secret', POSTGRES_PASSWORD: 'secret' }));
  const [port] = await freePorts([undefined]);
  const listen = `127.0.0.1:${port}`;
  const plan = await planNginx({ container, folder, listen, servers });
  const nginx = new ClusterProcess({ name: 'nginx', cwd: folder, logPath: join(folder, 'log'), ...plan });
  t.after(async () => {
    await nginx.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await nginx.start();
  return `http://${listen}`;
}

const json = { 'content-type': 'application/json' };
const ok = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(200, json).end('{}');
const tear = (request: IncomingMessage): void => void request.socket.destroy();

test('a POST that reached a gateway is not sent to another one: the client is told that it may have been taken in', async (t) => {
  const gateways = [await startGateway(t, tear), await startGateway(t, tear)];
  const url = await startNginx(
    t,
    gateways.map(({ address }) => address),
  );
  if (url === undefined) return;
  const response = await fetch(`${url}/v1/responses`, { method: 'POST', headers: json, body: '{}' });
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1']);
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'gateway_unavailable');
  assert.deepEqual(
    gateways.flatMap(({ asked }) => asked),
    ['POST /v1/responses'],
  );
});

test('a GET is sent to the next gateway, and so is a POST that reached none', async (t) => {
  const torn = await startGateway(t, tear);
  const healthy = await startGateway(t, ok);
  const [nobody] = await freePorts([undefined]);
  const url = await startNginx(t, [torn.address, healthy.address, `127.0.0.1:${nobody}`]);
  if (url === undefined) return;
  for (let asked = 0; asked < 6; asked += 1) {
    assert.equal((await fetch(`${url}/v1/responses/resp_1`)).status, 200);
  }
  assert.ok(torn.asked.length <= 2, 'it is left out for a while once it was found broken');
  for (let asked = 0; asked < 6; asked += 1) {
    const { status } = await fetch(`${url}/v1/responses`, { method: 'POST', headers: json, body: '{}' });
    // One may have met the torn one, after its time out.
    assert.ok(status === 200 || torn.asked.includes('POST /v1/responses'));
  }
  assert.ok(healthy.asked.includes('POST /v1/responses'));
});

test("a gateway's own errors pass as they are, to GET and POST, and no other gateway is asked", async (t) => {
  const refuse = (_: IncomingMessage, response: ServerResponse): void =>
    void response.writeHead(503, { ...json, 'retry-after': '7' }).end('{"draining":true}');
  const gateways = [await startGateway(t, refuse), await startGateway(t, refuse)];
  const url = await startNginx(
    t,
    gateways.map(({ address }) => address),
  );
  if (url === undefined) return;
  for (const method of ['GET', 'POST']) {
    const response = await fetch(`${url}/v1/responses`, { method });
    assert.deepEqual([response.status, response.headers.get('retry-after'), await response.text()], [503, '7', '{"draining":true}']);
  }
  assert.equal(gateways.flatMap(({ asked }) => asked).length, 2);
});

test('a body that no gateway would take is refused in the form of its errors, and one that it has to judge passes', async (t) => {
  const gateway = await startGateway(t, ok);
  const url = await startNginx(t, [gateway.address]);
  if (url === undefined) return;
  const post = async (mebibytes: number): Promise<Response> =>
    fetch(`${url}/v1/responses`, { method: 'POST', headers: json, body: new Uint8Array(mebibytes * 1024 * 1024) });
  assert.equal((await post(33)).status, 200);
  // The connection may be closed on a client that still writes.
  const refused = await post(41).catch(() => undefined);
  if (refused !== undefined) {
    assert.equal(refused.status, 413);
    assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'request_too_large');
  }
  assert.deepEqual(gateway.asked, ['POST /v1/responses'], 'the longer one reached nobody');
});

test('the handshake of a WebSocket passes', async (t) => {
  const gateway = await startGateway(t, ok);
  const url = await startNginx(t, [gateway.address]);
  if (url === undefined) return;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`);
  await once(socket, 'error');
  assert.deepEqual(gateway.asked, ['websocket /v1/responses']);
});

/** Temporal by the profile file that every Temporal tool reads: client certificates, keys, and what doctor says where they are not right. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Finding } from '../../src/store/ports/diagnosis.ts';
import { makeAuthority } from '../support/certificates.ts';
import { startCluster } from '../support/processes.ts';
import { post } from '../support/post.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';
import { startTemporalProxy } from '../support/temporal-proxy.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const options = { timeout: 120_000 };

/** A server that wants certificates of one authority, and the settings of a client that has one. */
async function makeDoor(context: TestContext, apiKey?: string) {
  const folder = folderOf(context);
  const authority = makeAuthority(folder, 'authority');
  const server = authority.sign('server', { alternatives: 'DNS:temporal.test' });
  const client = authority.sign('client');
  const { address } = await sharedTemporalServer();
  const more = apiKey === undefined ? {} : { apiKey };
  const proxy = await startTemporalProxy({ address, server, clientAuthority: authority.cert, ...more });
  context.after(() => proxy[Symbol.asyncDispose]());
  const tls = {
    server_name: 'temporal.test',
    server_ca_cert_path: authority.cert,
    client_cert_path: client.cert,
    client_key_path: client.key,
  };
  /** A profile file with these settings of TLS. */
  const profile = (name: string, settings: Partial<typeof tls> | { disabled: true }, key = apiKey): string => {
    const path = join(folder, `${name}.toml`);
    const keys = key === undefined ? [] : [`api_key = ${JSON.stringify(key)}`];
    const lines = Object.entries(settings).map(([setting, value]) => `${setting} = ${JSON.stringify(value)}`);
    const head = ['[profile.cloud]', `address = "127.0.0.1:${proxy.port}"`, 'namespace = "default"', ...keys];
    writeFileSync(path, [...head, '[profile.cloud.tls]', ...lines, ''].join('\n'));
    return path;
  };
  return { folder, authority, tls, profile };
}

/** What doctor says of Temporal. */
async function temporalBy(configFile: string, ...args: readonly string[]): Promise<ReadonlyMap<string, Finding>> {
  const flags = ['--temporal-config-file', configFile, '--temporal-profile', 'cloud', ...args];
  const { stdout, stderr } = await turnkeep('doctor', '--json', ...flags);
  assert.equal(stderr, '');
  const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
  return new Map(findings.map((each) => [each.check, each]));
}

test('a turn runs over mutual TLS with a key, all of it by a profile', options, async (context) => {
  const { tls, profile } = await makeDoor(context, 'a-secret-key');
  await using cluster = await startCluster({
    env: { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '', TEMPORAL_CONFIG_FILE: profile('right', tls), TEMPORAL_PROFILE: 'cloud' },
  });
  const { url } = await cluster.startGateway();
  await cluster.startWorker();
  const { json } = await post(url, { input: 'hi' });
  assert.equal(json?.['status'], 'completed', JSON.stringify(json));
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 200, await ready.text());
});

test('doctor says what is wrong with certificates and keys, and what to do', options, async (context) => {
  const { folder, authority, tls, profile } = await makeDoor(context, 'a-secret-key');
  const dataDir = ['--data-dir', folder];
  const right = await temporalBy(profile('right', tls), ...dataDir);
  assert.equal(right.get('temporal')?.status, 'ok', JSON.stringify(right.get('temporal')));
  assert.match(right.get('client certificate')?.seen ?? '', /^CN=client is valid until \d{4}-\d\d-\d\d$/);
  assert.equal(right.get('client certificate')?.status, 'ok');

  const soon = authority.sign('soon', { days: 2 });
  const expiring = await temporalBy(profile('soon', { ...tls, client_cert_path: soon.cert, client_key_path: soon.key }), ...dataDir);
  assert.deepEqual([expiring.get('temporal')?.status, expiring.get('client certificate')?.status], ['ok', 'warning']);

  const stranger = makeAuthority(folder, 'stranger');
  const foreign = stranger.sign('foreign');
  const { client_cert_path: _cert, client_key_path: _key, ...withoutClient } = tls;
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['name', profile('name', { ...tls, server_name: 'elsewhere.test' }), /^127\.0\.0\.1:\d+: its certificate is for another name/],
    [
      'authority',
      profile('authority', { ...tls, server_ca_cert_path: stranger.cert }),
      /its certificate is of an authority that is not known/,
    ],
    // The connection may be gone before the reason has come.
    ['none', profile('none', withoutClient), /it closes the connection|it wants a client certificate, and not this one/],
    [
      'foreign',
      profile('foreign', { ...tls, client_cert_path: foreign.cert, client_key_path: foreign.key }),
      /it closes the connection|it wants a client certificate/,
    ],
    ['plain', profile('plain', { disabled: true }), /it closes the connection/],
    ['key', profile('key', tls, 'another-key'), /it does not take the key/],
  ];
  for (const [name, file, seen] of cases) {
    const found = (await temporalBy(file, ...dataDir)).get('temporal');
    assert.equal(found?.status, 'fault', name);
    assert.match(found.seen, seen, name);
    assert.doesNotMatch(JSON.stringify(found), /another-key/);
  }
  const missing = await turnkeep('doctor', '--temporal-config-file', join(folder, 'nowhere.toml'), '--temporal-profile', 'cloud');
  assert.deepEqual([missing.code, /TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE/.test(missing.stderr)], [2, true]);
});

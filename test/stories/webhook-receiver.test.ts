/** The receiver of `docs/webhooks.md`, as it stands there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { webhookEvents } from '../../src/domain/turn/webhook.ts';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { startReceiver } from '../support/receiver.ts';
import { World } from '../support/world.ts';

const root = join(import.meta.dirname, '../..');

test(
  'the receiver in the documents takes what is sent, fetches the response, and nothing that others sign',
  { timeout: 60_000 },
  async () => {
    const text = readFileSync(join(root, 'docs/webhooks.md'), 'utf8');
    const [, code = ''] = /^```js receiver\.mjs\n(.*?)^```$/ms.exec(text) ?? [];
    // A port that was free a moment ago, and the secret.
    const receiver = await startReceiver();
    await receiver[Symbol.asyncDispose]();
    const { url, secret, secretBytes } = receiver;
    const webhooks = [{ tenant: null, url, secrets: [secretBytes], events: webhookEvents }];
    await using world = await World.open({ config: { webhooks }, model: () => ({ fallback: () => chatAnswer('Hello') }) });
    const env = {
      ...process.env,
      PORT: new URL(url).port,
      OPENAI_WEBHOOK_SECRET: secret,
      OPENAI_BASE_URL: `${world.url}/v1`,
      OPENAI_API_KEY: 'none',
    };
    const child = spawn(process.execPath, ['--input-type=module', '-'], { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(code);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    try {
      assert.equal((await lines.next()).value, 'listening');
      const { id } = await world.client.responses.create({ input: 'hi', background: true });
      assert.equal((await lines.next()).value, `${id}: Hello`);
      const headers = {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
        'webhook-signature': 'v1,AAAA',
      };
      assert.equal((await fetch(url, { method: 'POST', headers, body: '{}' })).status, 400);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  },
);

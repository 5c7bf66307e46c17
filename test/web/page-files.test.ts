/** What the gateway serves at `/`: to a browser the page, to a program what is where; and how much of it a browser has to read. */
import assert from 'node:assert/strict';
import { globSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { findPage } from '../../src/roles/page.ts';
import { appFor, serve } from '../gateway/served-app.ts';

/** Of all scripts together, compressed. */
const scriptLimitBytes = 200_000;
/** Of those that are read before anything is shown. */
const firstScriptLimitBytes = 125_000;

const html = { accept: 'text/html,*/*' };

test('all scripts of the page, compressed, are within their budget, and those of its first sight within theirs', async () => {
  const folder = await findPage();
  const bytesOf = (pattern: string): number => globSync(`${folder}/assets/${pattern}`).reduce((sum, file) => sum + statSync(file).size, 0);
  const all = bytesOf('*.js.gz');
  assert.ok(all > 0 && all <= scriptLimitBytes, `${all} bytes`);
  const first = bytesOf('index-*.js.gz') + bytesOf('jsx-runtime-*.js.gz');
  assert.ok(first > 0 && first <= firstScriptLimitBytes, `${first} bytes`);
});

test('a browser gets the page under a strict policy, its files for good, and what it has is not sent again', async (t) => {
  const built = findPage();
  await built;
  const url = await serve(t, appFor(t, { page: built }));
  const page = await fetch(url, { headers: html });
  const text = await page.text();
  assert.deepEqual(
    ['content-type', 'cache-control', 'x-content-type-options'].map((name) => page.headers.get(name)),
    ['text/html; charset=utf-8', 'no-cache', 'nosniff'],
  );
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|style=|\son[a-z]+=/, 'nothing inline');
  const again = await fetch(url, { headers: { ...html, 'if-none-match': page.headers.get('etag') ?? '' } });
  assert.equal(again.status, 304);

  const [, script = ''] = /src="(\/assets\/[^"]+\.js)"/.exec(text) ?? [];
  for (const encoding of ['br', 'gzip', 'identity']) {
    const file = await fetch(`${url}${script}`, { headers: { 'accept-encoding': encoding } });
    assert.equal(file.status, 200);
    assert.equal(file.headers.get('content-encoding'), encoding === 'identity' ? null : encoding);
    assert.deepEqual(
      ['content-type', 'cache-control'].map((name) => file.headers.get(name)),
      ['text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    );
    assert.match(await file.text(), /createElement/);
  }
  for (const name of ['nothing.js', '..%2findex.html', '%2e%2e%2f%2e%2e%2fpackage.json']) {
    assert.equal((await fetch(`${url}/assets/${name}`)).status, 404, name);
  }
});

test('a program gets a text; a browser is told where the page is not built, not built yet, or cannot be', async (t) => {
  const building = Promise.withResolvers<string>();
  const failed = Promise.reject<string>(new Error('no <vite>'));
  failed.catch(() => undefined);
  for (const [page, words] of [
    [undefined, /started without its page/],
    [building.promise, /is being built/],
    [failed, /could not be built: no &#60;vite&#62;/],
  ] as const) {
    const url = await serve(t, appFor(t, { page }));
    const shown = await fetch(url, { headers: html });
    assert.deepEqual([shown.status, shown.headers.get('cache-control')], [200, 'no-store']);
    assert.match(await shown.text(), words);
    assert.equal(shown.headers.get('refresh') === null, page !== building.promise, 'it comes by itself');
    const told = await fetch(url);
    assert.equal(told.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.match(await told.text(), /curl -N http:\/\/127\.0\.0\.1:\d+\/v1\/responses/);
  }
});

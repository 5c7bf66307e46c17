/** `npm run example coding-agent`, without a key. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runExample } from './example.ts';

test('coding-agent · reads without asking, asks before it writes, and the file has changed', { timeout: 120_000 }, async (t) => {
  const { output, code } = await runExample(t, 'coding-agent');
  assert.equal(code, 0, output);
  const [, path = ''] = /^(.*\/sum\.js) is now:$/m.exec(output) ?? [];
  const edit = `edit_file {"path":"${path}","edits":[{"oldText":"total - number","newText":"total + number"}]}`;
  assert.deepEqual(
    output.split('\n').filter((line) => /^[>?`-]/.test(line)),
    [
      '> sum.js gives wrong sums. Mend it.',
      `- read_text_file {"path":"${path}"}`,
      `? Allow ${edit}? yes, for nobody is there to be asked`,
      `- ${edit}`,
      '`sum` subtracted each number; now it adds them.',
    ],
  );
  assert.match(readFileSync(path, 'utf8'), /total \+ number/);
});

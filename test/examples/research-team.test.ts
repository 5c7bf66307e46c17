/** `npm run example research-team`, without a key: from the sources, as `test/package/installed.test.ts` runs it from the package. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runExample } from './example.ts';

test(
  'research-team · a plan, a review that is approved, and a report that is followed as it is written',
  { timeout: 120_000 },
  async (t) => {
    const { output, code } = await runExample(t, 'research-team');
    assert.equal(code, 0, output);
    assert.match(output, /^The reviewer asks: acceptFindings .*\nApproved\.\n\nMoss, fern and lichen .*\n\nWritten\.\n$/m);
  },
);

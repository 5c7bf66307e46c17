/** `npm run example support-inbox`, without a key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runExample } from './example.ts';

test(
  'support-inbox · a schedule has mail answered twice in one conversation, and a sub-agent looks the order up',
  { timeout: 120_000 },
  async (t) => {
    const { output, code } = await runExample(t, 'support-inbox');
    assert.equal(code, 0, output);
    const first = ['This is Ada. Where is my kettle? The order is A-1001.'];
    first.push('Dear Ada, your kettle is on its way as parcel NO-7734, and is due on 3 December.');
    const second = ['Ada again. That was two weeks ago. Which parcel was it?'];
    second.push('Dear Ada, it is still parcel NO-7734, of the order A-1001 that you asked about. It is still due on 3 December.');
    const said = output.slice(output.indexOf('mail ')).replace(/http:\S+/, 'URL');
    assert.deepEqual(said.split('\n').filter(Boolean), [
      `mail   ${first[0]}`,
      `answer ${first[1]}`,
      `mail   ${second[0]}`,
      `answer ${second[1]}`,
      'The conversation, by GET URL',
      `user: ${first[0]}`,
      '  researcher {"input":"Where is order A-1001, and when does it arrive?"}',
      '  A-1001: a kettle, shipped as NO-7734, due on 2026-12-03.',
      `assistant: ${first[1]}`,
      `user: ${second[0]}`,
      `assistant: ${second[1]}`,
    ]);
  },
);

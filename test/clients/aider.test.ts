/**
 * aider has no tools: it edits files by what the model writes into its answer. A check that fails makes it ask for a
 * second edit; turnkeep is killed when half of the answer that brings it has been shown.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { pythonClient } from './installed.ts';
import { type Answer, entriesOf, type Entry, scriptedModel } from '../support/scripted-model.ts';
import { startTalk } from './talk.ts';

const words = 'Fill answer.txt so that the check passes.';
/** The whole file, as its edit format `whole` has it. */
const edit = (text: string): string => `answer.txt\n\`\`\`\n${text}\n\`\`\`\n`;

function wordIn(entry: Entry): string | undefined {
  return entry.kind === 'message' ? /lacks (word-[0-9a-f]{8})/.exec(entry.text)?.[1] : undefined;
}

test('aider does two edits, with turnkeep killed amid the second', async () => {
  const program = await pythonClient('aider');
  const acted: string[] = [];
  const answerTo = (entries: readonly Entry[]): Answer => {
    const word = entries.map(wordIn).find((found) => found !== undefined);
    acted.push(word === undefined ? 'first edit' : 'second edit');
    if (word === undefined) return { text: `I try.\n\n${edit('something')}` };
    return { text: 'Now I know.\n\n', gate: 'cut', textBehindGate: edit(word) };
  };
  await using talk = await startTalk(scriptedModel(answerTo), 'chat');
  const word = `word-${randomUUID().slice(0, 8)}`;
  talk.write('work/answer.txt', 'nothing\n');
  talk.write('work/check.sh', `grep -q ${word} answer.txt && exit 0\necho "answer.txt lacks ${word}"\nexit 1\n`);
  // It would look for a newer one of itself, and install it.
  const alone = ['--no-check-update', '--analytics-disable', '--no-show-release-notes', '--no-show-model-warnings'];
  const work = ['--yes-always', '--no-git', '--edit-format', 'whole', '--auto-test', '--test-cmd', 'sh check.sh'];

  const cut = talk.killAt('cut', 'Now I know.');
  const isFine = await talk.run(program, {
    args: ['--model', 'openai/scripted', ...alone, ...work, '--message', words, 'answer.txt'],
    env: { OPENAI_API_BASE: talk.baseUrl, OPENAI_API_KEY: talk.key, LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
  });

  assert.ok(isFine, talk.output);
  const end = await talk.endOf(await cut);
  assert.ok(end === undefined || end === 'worker_lost', end);
  assert.deepEqual(acted, ['first edit', 'second edit', 'second edit'], talk.output);
  assert.equal(talk.read('answer.txt').trim(), word);
  const [, cutOff, again] = talk.cluster.model.requests;
  assert.ok(cutOff && again);
  assert.deepEqual(again.body, cutOff.body, 'what was cut is asked for again as it was');
  const told = entriesOf(again).map((entry) => (entry.kind === 'message' ? entry.text : ''));
  for (const once of [words, 'I try.']) assert.equal(told.filter((text) => text.includes(once)).length, 1, once);
});

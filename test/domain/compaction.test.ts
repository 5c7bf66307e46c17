/** What a compaction replaces, and what stays beside it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterCompaction, compactionContent, sealSummary, summaryRequest } from '../../src/domain/prompt/compaction.ts';
import { keptCharsOf, keptMessages } from '../../src/domain/prompt/kept-messages.ts';
import { type Item, textOf } from '../../src/domain/item.ts';
import { promptOf, type TranscriptTurn } from '../../src/domain/prompt/prompt.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

function says(role: 'user' | 'assistant' | 'developer', text: string): Item {
  return { id: `msg_${text}`, type: 'message', status: 'completed', role, content: [{ type: 'input_text', text }] };
}

function compaction(encrypted_content: string): Item {
  return { id: 'cmp_1', type: 'compaction', encrypted_content } as unknown as Item;
}

function turn(input: readonly Item[], answer: readonly Item[]): TranscriptTurn {
  return { status: 'completed', errorCode: null, model: 'scripted', items: [...input, ...answer], inputCount: input.length };
}

/** Each item in a word: what it says, or its type. */
function wordsOf(items: readonly Item[]): string[] {
  return items.map((item) => {
    if (item.type !== 'message') return item.type;
    const [part] = item.content;
    if (part === undefined || !('text' in part)) return '';
    return /in summary:\]\n\n(.*)/.exec(part.text)?.[1] ?? part.text;
  });
}

function toldOf(turns: readonly TranscriptTurn[], input: readonly Item[], api: 'chat' | 'responses' = 'chat') {
  const told = afterCompaction({ turns, input }, { api, model: 'scripted' });
  return [
    ...told.turns.map(({ items, inputCount }) => [wordsOf(items.slice(0, inputCount)), wordsOf(items.slice(inputCount))]),
    wordsOf(told.input),
  ];
}

const own = compaction(sealSummary('all of it'));
const foreign = compaction('gAAAAA');
const first = turn([says('developer', 'rules'), says('user', 'one')], [says('assistant', 'uno')]);

test('any text is read out of what was made of it, and nothing out of anything else', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (summary) => {
      assert.deepEqual(compactionContent(compaction(sealSummary(summary))), { type: 'summary', summary, keptChars: 65_536 });
    }),
  );
  for (const [sealed, type] of [
    ['', 'none'],
    ['gAAAAA', 'foreign'],
    [sealSummary('x').slice(0, -3), 'damaged'],
    ['turnkeep.1.', 'damaged'],
    [`turnkeep.1.${Buffer.from('null').toString('base64url')}`, 'damaged'],
    [`turnkeep.1.${Buffer.from('{"summary":7}').toString('base64url')}`, 'damaged'],
  ] as const) {
    assert.equal(compactionContent(compaction(sealed)).type, type, sealed);
  }
});

test('the last compaction that can be told replaces what is before it, wherever it stands', () => {
  const last = turn([says('user', 'three')], [says('assistant', 'tres')]);
  const input = [says('user', 'now')];
  assert.deepEqual(toldOf([first, turn([says('user', 'two')], [own]), last], input), [
    [['rules', 'all of it', 'one', 'two'], []],
    [['three'], ['tres']],
    ['now'],
  ]);
  // Among the answer: what comes behind it stays the answer.
  assert.deepEqual(toldOf([first, turn([says('user', 'two')], [own, says('assistant', 'dos')])], input), [
    [['rules', 'all of it', 'one', 'two'], ['dos']],
    ['now'],
  ]);
  // Among the input.
  assert.deepEqual(toldOf([first], [says('assistant', 'no'), own, says('user', 'now')]), [['rules', 'all of it', 'one', 'now']]);
  assert.deepEqual(toldOf([first, turn([says('user', 'two'), own, says('user', 'more')], [says('assistant', 'dos')])], input), [
    [['rules', 'all of it', 'one', 'two', 'more'], ['dos']],
    ['now'],
  ]);
  // The later of two.
  assert.deepEqual(toldOf([turn([], [own]), turn([says('user', 'two')], [compaction(sealSummary('later'))])], input), [
    [['later', 'two'], []],
    ['now'],
  ]);
});

test('a compaction that the provider cannot be told has replaced nothing', () => {
  for (const unread of [compaction(''), foreign, compaction('turnkeep.1.')]) {
    assert.deepEqual(toldOf([first, turn([], [unread])], [unread, says('user', 'now')]), [[['rules', 'one'], ['uno']], [[], []], ['now']]);
  }
  assert.deepEqual(toldOf([first, turn([], [foreign])], [says('user', 'now')], 'responses'), [
    [['rules', 'one', 'compaction'], []],
    ['now'],
  ]);
  assert.deepEqual(toldOf([first], [says('user', 'now')]), [[['rules', 'one'], ['uno']], ['now']]);
});

test('what another model has compacted has replaced nothing: what it was made of is told, and where that is nowhere, a note', () => {
  const asked = { api: 'responses', model: 'other' } as const;
  const words = (turns: readonly TranscriptTurn[], model: string = asked.model) => {
    const told = afterCompaction({ turns, input: [says('user', 'now')] }, { ...asked, model });
    assert.ok(told.turns.every(({ items, inputCount }) => inputCount <= items.length));
    return [...told.turns.flatMap(({ items }) => wordsOf(items)), ...wordsOf(told.input)];
  };
  const note = '[What was said before this was compacted by another model, which alone can read it.]';
  const made = turn([says('user', 'two')], [foreign, says('assistant', 'dos')]);
  assert.deepEqual(words([first, made]), ['rules', 'one', 'uno', 'two', 'dos', 'now']);
  assert.deepEqual(words([first, made], 'scripted'), ['rules', 'one', 'two', 'compaction', 'dos', 'now']);
  assert.deepEqual(words([first, { ...made, model: null }]), ['rules', 'one', 'two', 'compaction', 'dos', 'now'], 'nobody knows');
  // A conversation that begins with it: what it was made of is nowhere.
  const brought = turn([says('user', 'one'), foreign, says('user', 'two')], [says('assistant', 'dos')]);
  assert.deepEqual(words([brought]), ['one', note, 'two', 'dos', 'now']);
  assert.deepEqual(words([first, brought]), ['rules', 'one', 'uno', 'one', 'two', 'dos', 'now']);
  // A summary behind it is read by all.
  assert.deepEqual(words([brought, turn([], [own])]), ['all of it', 'one', 'two', 'now']);
});

test('what is left of an input without such a compaction is no more than the input: the answer stays one', () => {
  const mixed = [foreign, says('user', 'two'), compaction('')];
  assert.deepEqual(toldOf([first, turn(mixed, [says('assistant', 'dos')])], []).slice(1), [[['two'], ['dos']], []]);
  assert.deepEqual(toldOf([turn([own, ...mixed], [foreign, says('assistant', 'dos')])], []), [[['all of it', 'two'], ['dos']], []]);
  // What was torn off is told as that.
  const cut = { ...turn(mixed, [says('assistant', 'do')]), status: 'cancelled' } as const;
  const { turns, input } = afterCompaction({ turns: [first, cut], input: [says('user', 'now')] }, { api: 'chat', model: 'scripted' });
  const answer = promptOf(turns, input, 'scripted').at(-2);
  assert.ok(answer?.type === 'message' && answer.role === 'assistant');
  assert.equal(textOf(answer), 'do\n\n[The user stopped this answer before it was complete.]');
});

test('T14 · the newest messages of the user are kept as far as there is room, those of the system always', () => {
  const long = 'x'.repeat(40_000);
  const items = [says('developer', long), says('user', `old ${long}`), says('assistant', 'no'), says('user', `new ${long}`), own];
  assert.deepEqual(
    keptMessages(items).map(({ id }) => id.slice(0, 7)),
    ['msg_xxx', 'msg_new'],
  );
  // The newest is what is to be answered: it may take twice the room, and leaves none to the others.
  const asked = says('user', 'x'.repeat(70_000));
  assert.deepEqual(keptMessages([says('user', 'y'), asked]), [asked]);
  assert.deepEqual(keptMessages([says('user', 'x'.repeat(140_000)), says('user', 'x'.repeat(140_000))]), []);
});

test('a summary says how much stays beside it, so that a small context is not full of that in each later turn', () => {
  const sealed = compaction(sealSummary('all of it', keptCharsOf(150)));
  assert.deepEqual(compactionContent(sealed), { type: 'summary', summary: 'all of it', keptChars: 150 });
  const said = ['old', 'newer', 'new'].map((name) => says('user', name + '.'.repeat(60)));
  assert.deepEqual(toldOf([turn(said, [sealed])], [])[0], [['all of it', 'new' + '.'.repeat(60)], []]);
  assert.equal(keptCharsOf(1_000_000), 65_536);
  for (const more of ['turnkeep.2.', 'turnkeep.2.x.', 'turnkeep.2.9999999.'])
    assert.equal(compactionContent(compaction(`${more}e30`)).type, 'foreign');
});

test('a summary is asked for without tools and forms of the answer, which the model would have to heed', () => {
  const tool = { type: 'function', name: 'look', description: null, parameters: null, strict: null } as const;
  const settings = {
    ...defaultSettings('scripted'),
    compacts: true as const,
    temperature: 0.5,
    instructions: 'be brief',
    tools: [tool],
    tool_choice: 'required' as const,
    text: { format: { type: 'json_object' as const }, verbosity: 'low' as const },
    stop: ['x'],
    passed: { context_management: [] },
  };
  const request = summaryRequest({ settings, items: [says('user', 'one')] });
  assert.deepEqual(request.settings, {
    ...defaultSettings('scripted'),
    temperature: 0.5,
    instructions: 'be brief',
    text: { format: { type: 'text' }, verbosity: 'low' },
  });
  assert.equal(request.items.length, 2);
});

test('T14 · what was not made here is not parsed, and a summary is read once', () => {
  const seal = (json: string): string => `turnkeep.1.${Buffer.from(json).toString('base64url')}`;
  const arrays = `[${'[],'.repeat(500_000)}[]]`;
  const cpuMs = cpuMsOf(() => {
    assert.equal(compactionContent(compaction(seal(`{"summary":${arrays}}`))).type, 'damaged');
    assert.equal(compactionContent(compaction(seal(`{"summary":"a","b":${arrays},"c":"d"}`))).type, 'damaged');
    assert.equal(compactionContent(compaction(seal(JSON.stringify({ summary: 'a'.repeat(3_000_000) })))).type, 'damaged');
  });
  assert.ok(cpuMs < 200, `${cpuMs} ms`);
  assert.equal(compactionContent(own), compactionContent(own));
  for (const text of ['\u0001', '\u{1F600}', '€']) {
    const content = compactionContent(compaction(sealSummary(text.repeat(1_000_000))));
    assert.equal(content.type, 'summary', 'what is given out is taken back');
  }
});

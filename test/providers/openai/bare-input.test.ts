/** A custom tool is a function of one text for a chat provider, and models write that text in the place of the function's arguments. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ModelRequest } from '../../../src/domain/model.ts';
import { createProvider } from '../../../src/providers/create-provider.ts';
import { chat, done, end, reset, type Script, sseHead } from '../../../src/testing/model-server/index.ts';
import { collect, limits, messageItem, neverAborted, outcomeOf, serverFor, settings, type StreamResult } from '../support.ts';

const patch = { type: 'custom', name: 'patch', description: null } as const;
const look = { type: 'function', name: 'look', description: null, parameters: null, strict: null } as const;
const request: ModelRequest = { settings: { ...settings, tools: [patch, look] }, items: [messageItem('user', 'Mend it.')] };

/** What the parts of the stream's one call say, and how it ended. */
function shown(result: StreamResult): readonly [input: string, outcome: string] {
  return [result.text, outcomeOf(result)];
}

const begun = (name: string, ...pieces: readonly string[]): Script => [
  sseHead,
  chat.role(null),
  chat.toolCall(0, { id: 'call_1', name }),
  ...pieces.map((piece) => chat.toolCall(0, { arguments: piece })),
];

void suite('the input of a custom tool by a chat provider', () => {
  const rows: Readonly<Record<string, readonly [pieces: readonly string[], input: string, outcome: string]>> = {
    'the bare text': [['*** Begin', ' Patch\n+{"a":1}\n', '*** End Patch'], '*** Begin Patch\n+{"a":1}\n*** End Patch', 'finished'],
    'the bare text, with a brace first': [['{ echo ', 'hi; }'], '{ echo hi; }', 'finished'],
    'the bare text, with a bracket first': [['[section]\n', 'key = 1'], '[section]\nkey = 1', 'finished'],
    'the bare text, with a quoted word first': [['"use strict"', ';\nrun();'], '"use strict";\nrun();', 'finished'],
    'the text as JSON': [['"*** Begin Patch', '\\n"'], '*** Begin Patch\n', 'finished'],
    'the object, encoded twice': [['"{\\"input\\":', '\\"a\\\\nb\\"}"'], 'a\nb', 'finished'],
    'the object': [['{"input":"a', '\\nb"}'], 'a\nb', 'finished'],
    null: [['null'], '', 'finished'],
    'T8 · the object, broken in the middle of its text': [['{"input":"*** Begin', ' Patch\\n+'], '*** Begin Patch\n+', 'provider_protocol'],
    'T8 · the object, with an end of a line as it is': [['{"input":"a\n', 'b"}'], 'a\nb', 'provider_protocol'],
    'T8 · the object, broken before its text': [['{"inp'], '', 'provider_protocol'],
    'T8 · a brace alone': [['{'], '', 'provider_protocol'],
    'T8 · the object under another name, broken': [['{"patch":"a'], '', 'provider_protocol'],
    'T8 · the object and more behind it': [['{"input":"a"}', ' and so on'], 'a', 'provider_protocol'],
    'T8 · the text as JSON, broken': [['"*** Begin'], '', 'provider_protocol'],
  };
  for (const [what, [pieces, input, outcome]] of Object.entries(rows)) {
    void test(what, async (t) => {
      const server = await serverFor(t);
      const provider = createProvider({ api: 'chat', baseUrl: server.baseUrl, limits });
      t.after(() => provider.close());
      server.enqueue([...begun('patch', ...pieces), chat.finish('tool_calls'), done, end]);
      assert.deepEqual(shown(await collect(provider.stream(request, neverAborted))), [input, outcome]);
    });
  }

  const endings: Readonly<Record<string, readonly [script: Script, input: string, outcome: string]>> = {
    'T8 · the bare text without a stated end is not whole': [[done, end], '', 'stream_truncated'],
    'T8 · the bare text whose connection breaks is not whole': [[reset], '', 'stream_interrupted'],
    'the bare text that is cut off by its length is shown as far as it came': [[chat.finish('length'), done, end], '*** Begin', 'finished'],
  };
  for (const [what, [script, input, outcome]] of Object.entries(endings)) {
    void test(what, async (t) => {
      const server = await serverFor(t);
      const provider = createProvider({ api: 'chat', baseUrl: server.baseUrl, limits });
      t.after(() => provider.close());
      server.enqueue([...begun('patch', '*** Begin'), ...script]);
      assert.deepEqual(shown(await collect(provider.stream(request, neverAborted))), [input, outcome]);
    });
  }

  void test('T8 · bare text for a function beside it is provider_protocol', async (t) => {
    const server = await serverFor(t);
    const provider = createProvider({ api: 'chat', baseUrl: server.baseUrl, limits });
    t.after(() => provider.close());
    server.enqueue([...begun('look', 'left'), chat.finish('tool_calls'), done, end]);
    assert.equal(outcomeOf(await collect(provider.stream(request, neverAborted))), 'provider_protocol');
  });
});

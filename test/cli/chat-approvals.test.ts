/** What is shown of calls and of those that wait for an approval, and what the words of a person mean. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerByCurl, approvalText, type Decision, readDecision } from '../../src/cli/chat/approvals.ts';
import { layOut, type Layout } from '../../src/cli/chat/layout.ts';
import type { Piece } from '../../src/cli/chat/pieces.ts';
import { ToolCalls } from '../../src/cli/chat/tool-calls.ts';
import { readEvent } from '../../src/http-client/events.ts';

const no = (reason: string): Decision => ({ type: 'no', reason });
const decisions: readonly (readonly [string, Decision])[] = [
  ['y', { type: 'yes' }],
  [' YES ', { type: 'yes' }],
  ['all', { type: 'all' }],
  ['', { type: 'later' }],
  ['n', no('')],
  ['No', no('')],
  ['n, not that file', no('not that file')],
  ['no: it is\nof use', no('it is\nof use')],
  ['nothing of the kind', { type: 'nonsense' }],
  ['yes please, but only the first', { type: 'nonsense' }],
  ['all of them?', { type: 'nonsense' }],
];
for (const [line, expected] of decisions) {
  test(`an approval is asked for, and ${JSON.stringify(line)} means ${expected.type}`, () =>
    assert.deepEqual(readDecision(line), expected));
}

test('what is asked for is shown whole; characters that would hide or turn some of it are shown as JSON writes them', () => {
  const request = { id: 'mcpr_1', server: 'files\u001b[2J', tool: 'write\nfile', arguments: '{"path":"a\u202etxt.exe\u200b\u009b1m"}' };
  assert.equal(
    approvalText(request),
    String.raw`write file of the server files\u001b[2J waits for your approval:` +
      '\n  {\n    "path": ' +
      String.raw`"a\u202etxt.exe\u200b\u009b1m"` +
      '\n  }',
  );
  const long = approvalText({ id: 'mcpr_1', server: 'turnkeep', tool: 'write', arguments: `"${'x'.repeat(30_000)}"` });
  assert.match(long, /^write waits for your approval:\n {2}"x+\n {2}… and 10002 more characters, which are not shown$/);
  assert.ok(approvalText({ id: 'mcpr_1', server: 'turnkeep', tool: 'write', arguments: 'no JSON' }).endsWith('\n  no JSON'));
});

test('the command that answers has the key as a variable, and quotes for a shell', () => {
  const asked = [{ id: "mcpr_'1", server: 'turnkeep', tool: 'write', arguments: '{}' }];
  assert.equal(
    answerByCurl({ url: 'http://h/v1', hasKey: true, model: 'clerk', session: 'conv_1', asked }),
    `curl http://h/v1/responses -H 'content-type: application/json' -H "authorization: Bearer $TURNKEEP_API_KEY" -d ` +
      String.raw`'{"model":"clerk","conversation":"conv_1","input":[{"type":"mcp_approval_response","approval_request_id":"mcpr_'\''1","approve":true}]}'`,
  );
});

test('calls that run side by side have a line each, and their ends are told by name', () => {
  const calls = new ToolCalls();
  const item = (id: string, more: object = {}) => ({ id, type: 'mcp_call', name: 'look', server_label: 'files', ...more });
  const at = (nowMs: number, event: object): readonly Piece[] => calls.piecesOf(readEvent(JSON.stringify(event))!, nowMs) ?? [];
  const begin = (id: string, nowMs: number): readonly Piece[] => [
    ...at(nowMs, { type: 'response.output_item.added', item: item(id) }),
    ...at(nowMs, { type: 'response.mcp_call_arguments.done', item_id: id, arguments: `{"at":"${id}"}` }),
  ];
  const end = (nowMs: number, id: string, more: object): readonly Piece[] =>
    at(nowMs, { type: 'response.output_item.done', item: item(id, more) });
  const error = { type: 'mcp_tool_execution_error', content: [{ type: 'text', text: 'Not\nthere.' }] };
  const pieces: readonly Piece[] = [
    ...begin('a', 0),
    ...begin('b', 100),
    ...end(900, 'b', { status: 'completed' }),
    ...end(61_500, 'a', { status: 'failed', error }),
    ...begin('c', 0),
    { kind: 'answer', text: 'Well.' },
    ...end(2_000, 'c', { status: 'incomplete' }),
    ...begin('d', 0),
    { kind: 'end' },
  ];
  let layout: Layout = { isOneScreen: true, isAnswerOpen: false, isReasoningOpen: false };
  let shown = '';
  for (const piece of pieces) {
    const next = layOut(layout, piece);
    layout = next.layout;
    shown += next.writes.map(({ text }) => text).join('');
  }
  assert.equal(
    shown,
    `· files: look({"at":"a"})
· files: look({"at":"b"}) done
· files: look({"at":"a"}) failed after 1 min 1 s: Not there.
· files: look({"at":"c"})
Well.
· files: look({"at":"c"}) stopped after 2.0 s
· files: look({"at":"d"})
`,
  );
});

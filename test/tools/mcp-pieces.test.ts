/** What is pure of the clients: tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundedWords, redactor } from '../../src/tools/mcp/failure-words.ts';
import { readListedTool } from '../../src/tools/mcp/listed-tool.ts';
import { type MessageLine, MessageLines } from '../../src/tools/mcp/message-lines.ts';
import { toolResultOf } from '../../src/tools/mcp/result-text.ts';
import { SseScan } from '../../src/tools/mcp/sse-scan.ts';
import { failure, output } from '../support/tool-calls.ts';

const text = (text: string) => ({ type: 'text', text });

for (const [what, answer, result] of [
  ['texts are joined', { content: [text('a'), text('b')] }, output('a\nb')],
  ['nothing', { content: [] }, output('')],
  ['no content at all', {}, output('')],
  ['structured content alone', { content: [], structuredContent: { a: 1 } }, output('{"a":1}')],
  ['structured content beside its text', { content: [text('{"a": 1}')], structuredContent: { a: 1 } }, output('{"a": 1}')],
  ['an image', { content: [{ type: 'image', mimeType: 'image/png', data: 'AAAA' }] }, output('[image: image/png, 3 bytes, not shown]')],
  ['a sound', { content: [{ type: 'audio', data: 'AAA=' }] }, output('[audio: of an unknown type, 2 bytes, not shown]')],
  [
    'a resource of text',
    { content: [{ type: 'resource', resource: { uri: 'file:///a', mimeType: 'text/plain', text: 'x' } }] },
    output('[resource file:///a: text/plain]\nx'),
  ],
  [
    'a resource of bytes',
    { content: [{ type: 'resource', resource: { uri: 'file:///a', mimeType: 'application/zip', blob: 'AA==' } }] },
    output('[resource file:///a: application/zip, 1 bytes, not shown]'),
  ],
  ['a resource without one', { content: [{ type: 'resource' }] }, output('[a resource without content]')],
  [
    'a link',
    { content: [{ type: 'resource_link', uri: 'file:///a', name: 'a', mimeType: 'text/plain' }] },
    output('[link to a resource: file:///a, a, text/plain]'),
  ],
  [
    'an unknown part does not cost the others',
    { content: [{ type: 'hologram' }, text('a'), null, {}] },
    output(
      '[content of the type hologram, which is not shown]\na\n[content that is no object]\n[content of the type unknown, which is not shown]',
    ),
  ],
  ['an error', { isError: true, content: [text('no such file')] }, failure('no such file')],
  ['an error without words', { isError: true, content: [] }, failure('The tool failed and gave no reason.')],
  ['only `true` is an error', { isError: 'yes', content: [text('a')] }, output('a')],
] as const) {
  test(`the text of an answer: ${what}`, () => {
    assert.deepEqual(toolResultOf(answer), result);
  });
}

const schema = { type: 'object' };
for (const [what, listed, read] of [
  ['name and schema', { name: 'a', inputSchema: schema }, { name: 'a', description: '', inputSchema: schema, attempts: 1 }],
  ['no schema', { name: 'a', description: 'b' }, { name: 'a', description: 'b', inputSchema: schema, attempts: 1 }],
  [
    'read only',
    { name: 'a', annotations: { readOnlyHint: true } },
    { name: 'a', description: '', inputSchema: schema, annotations: { readOnlyHint: true }, attempts: 3 },
  ],
  [
    'idempotent',
    { name: 'a', annotations: { idempotentHint: true } },
    { name: 'a', description: '', inputSchema: schema, annotations: { idempotentHint: true }, attempts: 3 },
  ],
  [
    'a hint that is no boolean',
    { name: 'a', annotations: { idempotentHint: 1 } },
    { name: 'a', description: '', inputSchema: schema, annotations: { idempotentHint: 1 }, attempts: 1 },
  ],
  ['no name', { inputSchema: schema }, undefined],
  ['a name that no model may call', { name: 'a b' }, undefined],
  ['a schema that is none', { name: 'a', inputSchema: [] }, undefined],
  ['a schema that no request should carry', { name: 'a', inputSchema: { description: 'x'.repeat(131_072) } }, undefined],
  ['a task', { name: 'a', execution: { taskSupport: 'required' } }, undefined],
  [
    'a task that need not be one',
    { name: 'a', execution: { taskSupport: 'optional' } },
    { name: 'a', description: '', inputSchema: schema, attempts: 1 },
  ],
  ['no object', 'a', undefined],
  ['nothing', null, undefined],
] as const) {
  test(`a tool as a server lists it: ${what}`, () => {
    assert.deepEqual(readListedTool(listed), read);
  });
}

test('T11 · words are without what a server was configured with', () => {
  const stdio = redactor({
    name: 'a',
    needsApproval: 'never',
    command: 'a',
    args: [],
    env: { KEY: 'sk-123456', LONGER: 'sk-123456-more', DEBUG: '1' },
  });
  assert.equal(stdio('1 of sk-123456-more and sk-123456'), '1 of [redacted] and [redacted]');
  const headers = { Authorization: 'Bearer token-123' };
  const http = redactor({ name: 'a', needsApproval: 'never', url: 'https://u:pass%40word@example.com/mcp?key=query-123', headers });
  for (const words of [
    'Bearer token-123',
    'token-123',
    'https://u:pass%40word@example.com/mcp?key=query-123',
    'query-123',
    'pass@word',
    'pass%40word',
  ]) {
    assert.equal(http(`it said ${words}!`), 'it said [redacted]!');
  }
  assert.equal(boundedWords('x'.repeat(3_000)).length, 2_001);
});

test('the lines of an output are the same, however it arrives', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', ''))), fc.array(fc.nat(40)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const reader = new MessageLines();
      const read: MessageLine[] = [];
      let from = 0;
      for (const cut of [...cuts, bytes.length]) {
        read.push(...reader.push(bytes.subarray(from, from + cut)));
        from += cut;
      }
      assert.deepEqual(
        read,
        lines.filter((line) => line !== '').map((line) => ({ type: 'line', text: Buffer.from(line).toString() })),
      );
    }),
  );
});

const filler = 'x'.repeat(1_000);
for (const [what, line, read] of [
  [
    'its id behind',
    `{"result":{"content":"${filler}","id":9},"jsonrpc":"2.0","id":7}`,
    { type: 'oversized', isNotification: false, id: 7 },
  ],
  [
    'its id before',
    `{"jsonrpc":"2.0","id":7,"result":{"id":9,"content":"${filler}"}}`,
    { type: 'oversized', isNotification: false, id: 7 },
  ],
  ['an id within alone', `{"jsonrpc":"2.0","result":{"id":9,"content":"${filler}"}}`, { type: 'oversized', isNotification: false }],
  [
    'a notification',
    `{"method":"notifications/message","params":{"data":"${filler}"},"jsonrpc":"2.0"}`,
    { type: 'oversized', isNotification: true },
  ],
  ['no message', filler, { type: 'oversized', isNotification: false }],
] as const) {
  test(`of a line that is too long it is known whose it was: ${what}`, () => {
    for (const size of [1, 7, 300, 10_000]) {
      const reader = new MessageLines(600);
      const bytes = Buffer.from(`${line}\n{}\n`);
      const lines: MessageLine[] = [];
      for (let at = 0; at < bytes.length; at += size) lines.push(...reader.push(bytes.subarray(at, at + size)));
      assert.deepEqual(lines, [read, { type: 'line', text: '{}' }]);
    }
  });
}

test('of a stream of events the last id and the length of the open event are known, however it arrives', () => {
  const bytes = Buffer.from('id: 1\r\ndata: a\r\n\r\ndata: id: 9\n\nid:2\ndata: open');
  for (let size = 1; size <= bytes.length; size += 1) {
    const scan = new SseScan();
    for (let at = 0; at < bytes.length; at += size) scan.push(bytes.subarray(at, at + size));
    assert.deepEqual([scan.lastEventId, scan.eventBytes], ['2', 'id:2\ndata: open'.length]);
  }
});

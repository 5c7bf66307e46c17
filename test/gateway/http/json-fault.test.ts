/** Where a body stops being JSON, by line and column, and what was expected there; `JSON.parse` has the last word on whether. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { findJsonFault } from '../../../src/gateway/http/json-fault.ts';
import { read } from '../../support/post.ts';
import { appFor, serve } from '../served-app.ts';

type Row = readonly [text: string, place: string, found: string | undefined, expected: string];

const table: readonly Row[] = [
  ['', '1:1', undefined, 'a value'],
  ['  \n ', '2:2', undefined, 'a value'],
  ['{"input": hi}', '1:11', "'hi'", 'a value'],
  ["{'input': 'hi'}", '1:2', `"'"`, `a name in double quotes or '}'`],
  ['{input: "hi"}', '1:2', "'input'", `a name in double quotes or '}'`],
  ['{"input": "hi",}', '1:16', "'}'", 'a name in double quotes'],
  ['{"input": "hi"', '1:15', undefined, "',' or '}'"],
  ['{"input": ["hi"}', '1:16', "'}'", "',' or ']'"],
  ['{"input": ["hi",]}', '1:17', "']'", 'a value'],
  ['{"input" "hi"}', '1:10', `'"'`, "':'"],
  ['{\n  "input": "hi"\n  "model": "m"\n}', '3:3', `'"'`, "',' or '}'"],
  ['{"äöü 😀": x}', '1:11', "'x'", 'a value'],
  ['\uFEFF{"a": x}', '1:7', "'x'", 'a value'],
  ['{"a": True}', '1:7', "'True'", 'a value'],
  ['{"a": tru}', '1:7', "'tru'", 'a value'],
  ['{"a": 01}', '1:8', "'1'", "',' or '}'"],
  ['{"a": -}', '1:7', "'-'", 'a value'],
  ['{"a": "x\ny"}', '1:9', 'U+000A', 'the end of a text, or a new line in it as \\n'],
  ['{"a": "C:\\path"}', '1:10', "'\\'", 'an escape that JSON knows, such as \\n, \\" or \\u0041'],
  ['{"a": "\\u12"}', '1:8', "'\\'", 'four hexadecimal digits behind \\u'],
  ['{"a": "half', '1:12', undefined, `the '"' of a text's end`],
  ['{"a": "half\\', '1:13', undefined, `the '"' of a text's end`],
  ['{"a": 1} {"b": 2}', '1:10', "'{'", 'nothing more'],
  ['{"a":\u00a01}', '1:6', 'U+00A0', 'a value'],
];

void suite('the first fault of a text that is no JSON', () => {
  for (const [text, place, found, expected] of table) {
    void test(JSON.stringify(text), async () => {
      assert.throws(() => JSON.parse(text.replace(/^\uFEFF/, '')) as unknown);
      const fault = await findJsonFault(Buffer.from(text));
      assert.deepEqual([`${fault?.line}:${fault?.column}`, fault?.found, fault?.expected], [place, found, expected]);
    });
  }

  void test('whatever one character is changed to, there is a fault exactly where JSON.parse has one', async () => {
    const whole = '{"a": [1, -2.5e+3, true, null, "x\\u00e9\\n"], "b": {"c": {}, "d": []}, "e": false}';
    for (let index = 0; index < whole.length; index += 1) {
      for (const put of ['', ',', ':', '"', '{', ']', '0', 'x', '\\', ' ']) {
        const text = whole.slice(0, index) + put + whole.slice(index + 1);
        let isValid = true;
        try {
          JSON.parse(text);
        } catch {
          isValid = false;
        }
        assert.equal((await findJsonFault(Buffer.from(text))) === undefined, isValid, text);
      }
    }
  });
});

async function messageOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { message: string } }).error.message;
}

void suite('a body that is no JSON', () => {
  const paths = ['/v1/responses', '/v1/chat/completions', '/api/chat', '/v1/conversations'];
  void test('is refused with the place of its fault, by every protocol', async (t) => {
    const url = await serve(t, appFor(t));
    for (const path of paths) {
      const { status, json } = await read(await fetch(url + path, { method: 'POST', body: '{\n  "model": "m",\n  input: 1\n}' }));
      assert.deepEqual(
        [status, json],
        [
          400,
          {
            error: {
              message: "The body is not valid JSON: at line 3, column 3 there is 'input', where a name in double quotes was expected.",
              type: 'invalid_request_error',
              param: null,
              code: 'invalid_json',
            },
          },
        ],
      );
    }
  });

  void test('has its place by the whole body, also where it is parsed in pieces', async (t) => {
    const url = await serve(t, appFor(t));
    const items = Array.from({ length: 3_000 }, (_, index) => `  {"role": "user", "content": "message ${index}"}`);
    const send = async (body: string): Promise<string> => {
      return messageOf(await fetch(`${url}/v1/responses`, { method: 'POST', body }));
    };
    const body = (list: readonly string[], rest = ']}'): string => `{"model": "m", "input": [\n${list.join(',\n')}\n${rest}`;
    const wrong = items.with(2_000, '  {"role": user, "content": "x"}');
    assert.match(await send(body(wrong)), /at line 2002, column 12 there is 'user', where a value was expected/);
    assert.match(await send(body(items.with(2_000, '  '))), /at line 2002, column 3 there is ',', where a value was expected/);
    assert.match(await send(body(items, '')), /it ends at line 3002, column 1, where ',' or '\]' was expected/);
    assert.match(await send(body(items, '], "model" 1}')), /at line 3002, column 12 there is '1', where ':' was expected/);
  });

  void test('that is empty says so', async (t) => {
    const response = await fetch(`${await serve(t, appFor(t))}/v1/responses`, { method: 'POST' });
    assert.equal(await messageOf(response), 'The body is empty. Send a JSON object.');
  });
});

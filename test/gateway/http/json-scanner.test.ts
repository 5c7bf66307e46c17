/** T14: a body is looked at while it arrives, refused as soon as it has too much of something, and parsed in pieces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../src/gateway/http/errors.ts';
import { type JsonLimits, jsonLimits, JsonScanner } from '../../../src/gateway/http/json-scanner.ts';
import { parseJson } from '../../../src/gateway/http/parse-json.ts';

/** @param chunk bytes that arrive at once */
async function read(text: string, chunk = 1_000, limits: Partial<JsonLimits> = {}): Promise<unknown> {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner({ ...jsonLimits, ...limits });
  for (let end = chunk; end < bytes.length; end += chunk) scanner.scan(bytes.subarray(0, end));
  scanner.scan(bytes);
  return parseJson(bytes, scanner);
}

async function refusal(text: string, chunk?: number, limits?: Partial<JsonLimits>): Promise<unknown[]> {
  try {
    await read(text, chunk, limits);
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return [error.fields.status, error.fields.param, error.fields.code];
  }
  return [];
}

/** Longer than what is parsed at once, so that everything goes in pieces. */
const padding = 'ü"\\/[{,'.repeat(6_000);

test('a body in pieces is what JSON.parse makes of the whole, however it is cut and wherever it is cut', async () => {
  const member = fc.jsonValue({ maxDepth: 3 });
  const body = fc.dictionary(fc.string(), fc.oneof(member, fc.array(member, { maxLength: 40 })));
  await fc.assert(
    fc.asyncProperty(body, fc.integer({ min: 1, max: 70_000 }), fc.boolean(), async (value, chunk, isPretty) => {
      const padded = { ...value, padding, list: [padding, [], {}, padding, ...Object.values(value)] };
      const text = JSON.stringify(padded, null, isPretty ? 2 : 0);
      // A record may hold any name but one.
      if (text.includes('__proto__')) return;
      assert.deepEqual(await read(text, chunk), JSON.parse(text));
    }),
    { numRuns: 200 },
  );
});

test('what JSON.parse refuses is refused in pieces too', async () => {
  const whole = JSON.stringify({ input: [padding, { a: [1, 2] }, [], padding], tools: [], text: padding });
  assert.deepEqual(await refusal(whole), []);
  const broken = (value: string, place: number): string => whole.slice(0, place) + value + whole.slice(place);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(',', '[', ']', '{', '}', '"', ':', '\\', 'x', '1'), fc.nat(whole.length), async (value, place) => {
      const text = broken(value, place);
      let isValid = true;
      try {
        JSON.parse(text);
      } catch {
        isValid = false;
      }
      assert.deepEqual(await refusal(text), isValid ? [] : [400, undefined, 'invalid_json'], `${value} at ${place}`);
    }),
    { numRuns: 300 },
  );
  const long = `"${'x'.repeat(40_000)}"`;
  for (const list of [`${long},`, `,${long}`, `${long},,${long}`, `${long} ${long}`, ',', `${long},]`]) {
    assert.deepEqual(await refusal(`{"input":[${list}],"p":${long}}`), [400, undefined, 'invalid_json'], list.replaceAll(long, 'x'));
  }
  for (const list of ['', ' ', '\n\t', long, ` ${long} , ${long} `]) {
    assert.deepEqual(await refusal(`{"input":[${list}],"p":${long}}`), [], list.replaceAll(long, 'x'));
  }
  assert.deepEqual(await refusal(`{"input":[${long}`), [400, undefined, 'invalid_json']);
  assert.deepEqual(
    await read(`{"a":[1],"a":[2],"b":${long}}`),
    { a: [2], b: 'x'.repeat(40_000) },
    'the last of two is the one that counts',
  );
});

test('what is too much is refused, and named, before the rest has come', async () => {
  const limits = { maxItems: 10, maxValuesInPiece: 50, maxValues: 200 };
  const items = (count: number, item = '{}'): string => Array.from({ length: count }, () => item).join(',');
  assert.deepEqual(await refusal(`{"model":"m","input":[${items(10)}]}`, 7, limits), []);
  assert.deepEqual(await refusal(`{"model":"m","input":[${items(11)}]}`, 7, limits), [400, 'input', 'too_many_items']);
  assert.deepEqual(await refusal(`{"messages":[${items(1)}],"tools":[${items(11, '1')}`, 7, limits), [400, 'tools', 'too_many_items']);
  assert.deepEqual(await refusal(`{"input":[1,[${items(60)}]]}`, 7, limits), [400, 'input[1]', 'invalid_value']);
  assert.deepEqual(await refusal(`{"text":{"a":[${items(60)}]}}`, 7, limits), [400, undefined, 'invalid_value']);
  assert.deepEqual(await refusal(`{"input":[${items(9, `[${items(20)}]`)}]}`, 7, limits), [400, undefined, 'invalid_value']);
  assert.deepEqual(await refusal(`{"input":"${'[{,"'.replaceAll('"', '\\"').repeat(100)}"}`, 7, limits), [], 'text is one value');

  const endless = new JsonScanner();
  const bytes = Buffer.from(`{"input":[${'[],'.repeat(1_000_000)}`);
  let arrived = 0;
  assert.throws(() => {
    while (arrived < bytes.length) endless.scan(bytes.subarray(0, (arrived += 65_536)));
  }, ApiError);
  assert.ok(arrived <= 65_536, `${arrived} bytes were taken`);
});

test('a long body leaves the event loop to others, piece by piece', async () => {
  let turns = 0;
  let isParsed = false;
  const others = (): void => {
    turns += 1;
    if (!isParsed) setImmediate(others);
  };
  others();
  const item = JSON.stringify({ role: 'user', content: 'word '.repeat(200) });
  const value = (await read(`{"input":[${Array.from({ length: 5_000 }, () => item).join(',')}]}`)) as { input: unknown[] };
  isParsed = true;
  assert.equal(value.input.length, 5_000);
  assert.ok(turns >= 150, `others ran ${turns} times meanwhile`);
});

/** Redaction: nothing that was said stays, what was equal stays equal, and histories replay as before. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from '@temporalio/worker';
import { historyOfJson, jsonOfEvents } from '../../src/history/history-json.ts';
import { Redactor } from '../../src/history/redact.ts';
import { redactEvent } from '../../src/history/redact-history.ts';
import { TextRedactor } from '../../src/history/redact-text.ts';
import { eventWithoutSecrets, secretsOf, textWithoutSecrets, withoutSecrets } from '../../src/history/secrets.ts';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { readHistory } from '../replay/record.ts';
import { testCacheDir } from '../support/temporal-server.ts';

const corpus = join(import.meta.dirname, '../replay/histories');

test('T10 · every recorded history replays when it is redacted', async () => {
  const histories = globSync('*.txt', { cwd: corpus }).map((name) => {
    const { workflowId, history } = readHistory(readFileSync(join(corpus, name), 'utf8'));
    const texts = new TextRedactor();
    return { workflowId, history: historyOfJson({ events: jsonOfEvents(history.events ?? []).map((event) => redactEvent(event, texts)) }) };
  });
  const diverged: string[] = [];
  const workflowBundle = await bundleWorkflows({ codecKeys: [] }, { cacheFolder: testCacheDir });
  for await (const { error, workflowId } of Worker.runReplayHistories({ workflowBundle }, histories))
    if (error !== undefined) diverged.push(`${workflowId}: ${error.message}`);
  assert.deepEqual(diverged, []);
});

test('the words of failures, the names of machines and what payloads say go from a history; numbers, names of members and ids of ours stay', () => {
  const payload = (value: unknown) => ({
    metadata: { encoding: 'anNvbi9wbGFpbg==' },
    data: Buffer.from(JSON.stringify(value)).toString('base64'),
  });
  const event = {
    eventId: '6',
    eventType: 'EVENT_TYPE_ACTIVITY_TASK_FAILED',
    activityTaskFailedEventAttributes: {
      identity: '77@zebra-host',
      failure: {
        message: 'zebra failed',
        stackTrace: 'at zebra.ts',
        applicationFailureInfo: { type: 'provider_busy', details: { payloads: [payload({ requestsMade: 2, detail: 'zebra' })] } },
        encodedAttributes: payload({ message: 'zebra' }),
      },
    },
  };
  const redacted = redactEvent(event, new TextRedactor());
  const text = JSON.stringify(redacted, (key, value: unknown) =>
    key === 'data' ? Buffer.from(String(value), 'base64').toString() : value,
  );
  assert.ok(!text.includes('zebra'), text);
  assert.ok(text.includes('requestsMade\\":2') && text.includes('"type":"provider_busy"'), text);
});

test('a text becomes another one of its length, the same every time, and another for another bundle', () => {
  const [one, other] = [new TextRedactor(), new TextRedactor()];
  for (const text of ['a', 'häßlich', '😀 smile', 'x'.repeat(70_001)]) {
    assert.equal(one.text(text).length, text.length);
    assert.equal(one.text(text), one.text(text));
    if (text.length > 3) assert.notEqual(one.text(text), other.text(text));
  }
  const whole = one.replacementOf(one.begin().update('one two three'));
  assert.equal(whole.slice(0, 5) + whole.slice(5, 6) + whole.slice(6, 13), one.text('one two three'), 'in pieces it is the same');
});

test('JSON in a text keeps its form and its length, cut off anywhere', async () => {
  const texts = new TextRedactor();
  const json = JSON.stringify({ city: 'Róma "x"', count: -1_234_567.5, more: [true, null, { a: 'b\\c\n' }] });
  const redacted = await texts.json(json);
  assert.equal(redacted.length, json.length);
  assert.deepEqual(redacted.replaceAll(/"[^"]*"|\d/g, '_'), json.replaceAll(/"(?:[^"\\]|\\.)*"|\d/g, '_'));
  JSON.parse(redacted);
  for (let end = 0; end <= json.length; end += 1) {
    const part = await texts.json(json.slice(0, end));
    assert.equal(part.length, end);
    assert.ok(!/Róma|city|123456/.test(part), part);
  }
});

test('what ids are of stays, and what a client chose does not', () => {
  const texts = new TextRedactor(['resp_' + 'a'.repeat(48)]);
  const ours = [
    'resp_' + 'b'.repeat(48),
    'msg_' + 'b'.repeat(48) + '0003',
    'conv_' + '0'.repeat(48),
    '01a21472-fc60-71f1-a328-4e541e94229d',
    'turn/resp_' + 'b'.repeat(48),
  ];
  for (const id of ours) assert.equal(texts.id(id), id);
  for (const id of ['resp_zebra', 'call_zebra', 'order/zebra', 'zebra'])
    assert.ok(!texts.id(id).includes('zebra') && texts.id(id).length === id.length, texts.id(id));
  const chosen = texts.id('resp_' + 'a'.repeat(48));
  assert.notEqual(chosen, 'resp_' + 'a'.repeat(48));
  assert.equal(texts.id('msg_' + 'a'.repeat(48) + '0001'), `${chosen.replace('resp', 'msg')}0001`, 'the items of a response still name it');
});

test('deltas of several texts side by side come to what their wholes become', async () => {
  const redactor = new Redactor();
  const event = (type: string, members: object, seq: number) => ({
    seq,
    type,
    data: JSON.stringify({ type, sequence_number: seq, ...members }),
  });
  const at = (id: string) => ({ item_id: id, output_index: 0, content_index: 0 });
  const args = '{"place":"zebra crossing"}';
  const rows = [
    event('response.output_text.delta', { ...at('one'), delta: 'ze', logprobs: [{ token: 'ze', bytes: [122, 101] }] }, 0),
    event('response.function_call_arguments.delta', { item_id: 'two', output_index: 1, delta: args.slice(0, 13) }, 1),
    event('response.output_text.delta', { ...at('one'), delta: 'bra', logprobs: [] }, 2),
    event('response.function_call_arguments.delta', { item_id: 'two', output_index: 1, delta: args.slice(13) }, 3),
    event('response.output_text.done', { ...at('one'), text: 'zebra' }, 4),
    event('response.function_call_arguments.done', { item_id: 'two', output_index: 1, name: 'walk', arguments: args }, 5),
  ];
  for (const row of rows) redactor.deltas.add(row);
  await redactor.deltas.end();
  const events: Record<string, string>[] = [];
  for (const row of rows) events.push(JSON.parse((await redactor.journalRow(row)).data) as Record<string, string>);
  const [text0, args0, text1, args1, text, whole] = events;
  assert.equal(`${text0?.['delta']}${text1?.['delta']}`, text?.['text']);
  assert.equal(`${args0?.['delta']}${args1?.['delta']}`, whole?.['arguments']);
  assert.deepEqual(text0?.['logprobs'], []);
  assert.ok(!JSON.stringify(events).match(/zebra|crossing|place|walk/));
});

test('members that no rule knows are content, names and numbers too', async () => {
  const item = {
    id: 'x_1',
    type: 'odd_call',
    status: 'completed',
    action: { query: 'zebra', zebra: 471_147_114_711, deep: [{ zebra: 'zebra' }] },
    zebra: 'zebra',
  };
  const redacted = JSON.stringify(await new Redactor().value(item, 'items'));
  assert.ok(!/zebra|471147114711/.test(redacted), redacted);
  assert.ok(redacted.includes('"type":"odd_call"') && redacted.includes('"status":"completed"'), redacted);
});

test('the keys that a client sent with a tool are in no bundle, wherever they are repeated', () => {
  const settings = {
    tools: [{ type: 'mcp', server_url: 'https://a.test', authorization: 'tok"en-4711', headers: { 'x-key': 'hunter-4711' } }],
  };
  const secrets = secretsOf(settings);
  assert.deepEqual(secrets.within, ['tok\\"en-4711', 'hunter-4711']);
  assert.ok(!textWithoutSecrets(JSON.stringify({ response: settings }), secrets).includes('4711'));
  const data = Buffer.from(JSON.stringify(settings)).toString('base64');
  const scrubbed = eventWithoutSecrets({ input: { payloads: [{ metadata: { encoding: 'x' }, data }] } }, secrets) as {
    input: { payloads: { data: string }[] };
  };
  assert.ok(
    !Buffer.from(scrubbed.input.payloads[0]?.data ?? '', 'base64')
      .toString()
      .includes('4711'),
  );
});

test('a secret that is a part of another leaves nothing of it, and digits alone break no number', () => {
  const settings = { headers: { a: 'hunter', b: 'hunter-4711', c: '176400' } };
  const value = { created_at_ms: 1_764_001_234, said: 'the hunter-4711', pin: '176400', ...settings };
  const shown = JSON.stringify(withoutSecrets(value, secretsOf(settings)));
  assert.ok(!/hunter|4711|"176400"/.test(shown), shown);
  assert.ok(shown.includes('1764001234'), shown);
});

test('T14 · of very many secrets none is left, and a value is walked over once', () => {
  const headers = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, `secret-${index}`]));
  const settings = { tools: [{ type: 'mcp', headers }] };
  const shown = JSON.stringify(withoutSecrets({ settings, again: [settings] }, secretsOf(settings)));
  assert.ok(!/secret-\d/.test(shown));
});

test('T14 · the event loop is free while a long value is redacted, whatever it is made of', async () => {
  const redactor = new Redactor();
  const items = [
    { type: 'function_call', arguments: JSON.stringify(Array.from({ length: 20_000 }, (_, index) => index)) },
    { type: 'message', content: Array.from({ length: 5_000 }, (_, index) => ({ type: 'input_text', text: `zebra ${index}` })) },
  ];
  for (const item of items) {
    let turns = 0;
    const count = setInterval(() => (turns += 1), 0);
    await redactor.value(item, 'items');
    clearInterval(count);
    assert.ok(turns > 3, `${turns} turns of the loop`);
  }
});

test('a string of many megabytes in a text of JSON is replaced as a short one is', async () => {
  const json = JSON.stringify({ said: 'zebra '.repeat(3_000_000) });
  const redacted = await new TextRedactor().json(json);
  assert.equal(redacted.length, json.length);
  assert.ok(!redacted.includes('zebra'));
  JSON.parse(redacted);
});

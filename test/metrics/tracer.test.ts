/** What a tracer does with spans, and how it says what was said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { createTracer, type TracerOptions } from '../../src/metrics/traces/exporter.ts';
import { inputMessages, outputMessages } from '../../src/metrics/traces/messages.ts';
import { placeOf, type TraceSpan } from '../../src/metrics/traces/span.ts';
import { traced } from '../../src/metrics/traces/traced-store.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { turnRow } from '../support/turn-row.ts';

type Exported = Parameters<SpanExporter['export']>[0];

interface Sink {
  readonly exporter: SpanExporter;
  readonly exported: Exported[number][];
  code: number;
  /** Of batches whose export has begun and not ended. */
  readonly waiting: (() => void)[];
}

function sink({ answers = true } = {}): Sink {
  const self: Sink = {
    exported: [],
    waiting: [],
    code: 0,
    exporter: {
      export(spans, done) {
        self.exported.push(...spans);
        const end = (): void => {
          done(self.code === 0 ? { code: 0 } : { code: 1, error: new Error('refused') });
        };
        if (answers) end();
        else self.waiting.push(end);
      },
      shutdown: async () => {},
    },
  };
  return self;
}

function tracer(options: Partial<TracerOptions> = {}): ReturnType<typeof createTracer> {
  return createTracer({ version: '1', hasContent: false, ratio: 1, ...options });
}

function span(publicId: string, fields: Partial<TraceSpan> = {}): TraceSpan {
  return {
    ...placeOf({ tenant: 'default', publicId }),
    name: 'x',
    kind: 'internal',
    startMs: 1_500,
    endMs: 1_750,
    attributes: { kept: 1, left: undefined },
    ...fields,
  };
}

test('a span comes out as it went in, its times in seconds and nanoseconds, nothing that is undefined', async () => {
  const { exporter, exported } = sink();
  const own = tracer({ exporter });
  own.record([
    span('a', { error: 'worker_lost', kind: 'client', links: [{ ...placeOf({ tenant: 't', publicId: 'b' }), relation: 'previous' }] }),
  ]);
  await own.close();
  const [only] = exported;
  assert.deepEqual(
    [only?.startTime, only?.endTime, only?.duration, only?.attributes, only?.status, only?.kind],
    [[1, 500_000_000], [1, 750_000_000], [0, 250_000_000], { kept: 1 }, { code: 2, message: 'worker_lost' }, 2],
  );
  assert.deepEqual(
    only?.links.map(({ attributes }) => attributes),
    [{ 'turnkeep.relation': 'previous' }],
  );
  assert.equal(only?.resource.attributes['service.name'], 'turnkeep');
});

test('of a turn all is kept or nothing, whichever process asks', async () => {
  const { exporter, exported } = sink();
  const one = tracer({ exporter, ratio: 0.3, batch: { maxQueueSize: 10_000 } });
  const other = tracer({ exporter: sink().exporter, ratio: 0.3 });
  const ids = Array.from({ length: 1_000 }, (_, index) => `resp_${index}`);
  for (const id of ids) one.record([span(id), span(id, { spanId: 'c'.repeat(16) })]);
  await one.close();
  await other.close();
  const kept = new Set(exported.map((each) => each.spanContext().traceId));
  assert.equal(exported.length, 2 * kept.size);
  assert.ok(kept.size > 200 && kept.size < 400, `${kept.size} of 1,000`);
  for (const id of ids) assert.equal(other.isSampled(span(id).traceId), kept.has(span(id).traceId));
});

test('a collector that does not keep up costs spans: no more wait than there is room for', async () => {
  const { exporter, exported, waiting } = sink({ answers: false });
  const own = tracer({ exporter, batch: { maxQueueSize: 100, maxExportBatchSize: 10 } });
  for (let index = 0; index < 10_000; index += 1) own.record([span(`resp_${index}`)]);
  const closing = own.close();
  while (exported.length < 110) await new Promise(setImmediate);
  for (const end of waiting) end();
  await closing;
  assert.equal(exported.length, 110);
});

test('a failure is told once, until spans are taken again', async () => {
  const told: string[] = [];
  const collector = sink();
  const own = tracer({ exporter: collector.exporter, batch: { maxExportBatchSize: 1 }, onFailure: (reason) => told.push(reason) });
  const send = async (code: number): Promise<void> => {
    collector.code = code;
    const { length } = collector.exported;
    own.record([span('a')]);
    while (collector.exported.length === length) await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  for (const code of [1, 1, 0, 1]) await send(code);
  await own.close();
  assert.deepEqual(told, ['refused', 'refused']);
});

test('what is still being read when the process stops is sent; what cannot be read is not, and harms nothing', async () => {
  const { exporter, exported } = sink();
  const own = tracer({ exporter });
  own.recordLater(async () => {
    await new Promise(setImmediate);
    return [span('late')];
  });
  own.recordLater(() => Promise.reject(new Error('database is locked')));
  await own.close();
  assert.equal(exported.length, 1);
});

const text = (length: number): object => ({
  id: 'msg',
  type: 'message',
  role: 'user',
  status: 'completed',
  content: [{ type: 'input_text', text: 'x'.repeat(length) }],
});

for (const [title, items] of [
  ['one long text', [text(1_000_000)]],
  ['many short ones', Array.from({ length: 10_000 }, () => text(10))],
  ['many long ones', Array.from({ length: 100 }, () => text(100_000))],
] as const) {
  test(`messages of ${title} are whole JSON of at most 64 KB, the newest of them`, () => {
    const json = inputMessages(items as never);
    assert.ok(json.length <= 65_536, String(json.length));
    assert.ok((JSON.parse(json) as unknown[]).length > 0);
  });
}

test('items of every kind as messages of parts; no bytes of images', () => {
  const items = [
    {
      type: 'message',
      role: 'developer',
      content: [
        { type: 'input_text', text: 'a' },
        { type: 'input_image', detail: 'auto', image_url: 'data:image/png;base64,AAAA' },
        { type: 'input_image', detail: 'auto', image_url: 'https://x.test/y.png' },
      ],
    },
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'b' }] },
    { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: 'out' },
    { type: 'mcp_call', name: 'mail', arguments: '{}', turnkeep: { call_id: 'c2', step: 1 } },
    { type: 'web_search_call' },
  ];
  assert.deepEqual(JSON.parse(inputMessages(items as never)), [
    {
      role: 'system',
      parts: [
        { type: 'text', content: 'a' },
        { type: 'blob', modality: 'image' },
        { type: 'uri', modality: 'image', uri: 'https://x.test/y.png' },
      ],
    },
    { role: 'assistant', parts: [{ type: 'reasoning', content: 'b' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', id: 'c1', name: 'f', arguments: '{}' }] },
    { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: 'out' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', id: 'c2', name: 'mail', arguments: '{}' }] },
    { role: 'assistant', parts: [{ type: 'web_search_call' }] },
  ]);
  assert.match(outputMessages(items.slice(1, 2) as never, 'length'), /"finish_reason":"length"/);
});

test('for the trace of a turn its rows are read, and nothing is written; what is not to be stored has no content in it', async () => {
  for (const isStored of [true, false]) {
    const { exporter, exported } = sink();
    const own = tracer({ exporter, hasContent: true });
    const called: string[] = [];
    const turn = turnRow({
      settledAtMs: 9_000,
      status: 'completed',
      isStored,
      settings: { ...defaultSettings('scripted'), instructions: 'nettle' },
    });
    const answers: Record<string, unknown> = {
      seal: { type: 'sealed', lostAttempts: 0 },
      readTurn: turn,
      readAttempts: [],
      readToolCalls: [],
      readInput: [text(5)],
      readResponse: { output: [] },
    };
    const call = (name: string) => async (): Promise<unknown> => {
      called.push(name);
      return answers[name];
    };
    const inner = Object.fromEntries(Object.keys(answers).map((name) => [name, call(name)])) as unknown as Store;
    const store = traced(inner, { tracer: own, childIdOf: () => 'resp_child' });
    await store.seal({ turn: turn.id } as Parameters<Store['seal']>[0]);
    await own.close();
    assert.deepEqual(
      called.filter((name) => !name.startsWith('read')),
      ['seal'],
    );
    const [root] = exported;
    assert.equal(root?.attributes['gen_ai.system_instructions'], isStored ? '[{"type":"text","content":"nettle"}]' : undefined);
    assert.equal('gen_ai.input.messages' in (root?.attributes ?? {}), isStored);
  }
});

test('without a tracer the store is the same', () => {
  const store = {} as Store;
  assert.equal(traced(store, { tracer: undefined, childIdOf: () => '' }), store);
});

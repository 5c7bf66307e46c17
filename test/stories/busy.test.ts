/** T4: a provider that asks for patience gets it from a durable timer; one that refuses is not asked again. */
import assert from 'node:assert/strict';
import {
  chat,
  chatAnswer,
  end,
  httpError,
  reset,
  ResponsesWriter,
  responsesAnswer,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';
import { type Case, caseModel, runCase } from '../support/cases.ts';
import { story } from '../support/world.ts';

/** A failed attempt: its code, and the wait after it. `dated`: whatever was left until the date the provider gave. */
type Failed = readonly [code: string, wait?: number | 'dated' | undefined];

interface Told extends Case {
  readonly failures: readonly Failed[];
  /** Shown before the end, if the turn fails. */
  readonly text?: string;
  /** At least so long after the first request the turn says it may be asked again. */
  readonly retryAfterMs?: number;
  /** How the message of the failed turn begins. No comment of the stream promises another request. */
  readonly says?: string;
}

interface Attempt {
  readonly attempt: number;
  readonly outcome: string;
  readonly code?: string;
  readonly wait_ms?: number;
}

const opening = ['response.created', 'response.queued', 'response.in_progress'];
const message = [
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
];

const again = (wait?: Failed[1]): Failed => ['provider_busy', wait];
const busy = (status: number, headers: Record<string, string> = {}, body?: unknown): Script => httpError(status, body, headers);
const error = (fields: Record<string, unknown>): unknown => ({
  error: { message: 'scripted', type: null, param: null, code: null, ...fields },
});

function tell(title: string, api: 'chat' | 'responses', cases: readonly Told[]): void {
  story(
    title,
    async (world) => {
      await Promise.all(
        cases.map(async (each) => {
          const { viewer, requests } = await runCase(world, each);
          const { failures, name, text = '' } = each;
          const { code } = viewer.last.response.error ?? {};
          // Who is told to wait is heard in the end.
          const isCompleted = failures.at(-1)?.[1] !== undefined;
          assert.equal(requests.length, failures.length + (isCompleted ? 1 : 0), `${name}: requests`);
          assert.equal(code, isCompleted ? undefined : failures.at(-1)?.[0], name);
          // Deltas that come faster than the journal writes are merged.
          const withoutRepeats = viewer.types.filter((type, index) => type !== viewer.types[index - 1]);
          assert.deepEqual(
            withoutRepeats,
            isCompleted ? [...opening, ...message, 'response.completed'] : [...opening, ...(text === '' ? [] : message), 'response.failed'],
            name,
          );
          assert.equal(viewer.text, isCompleted ? 'Hello world' : text, name);
          assert.deepEqual(
            viewer.last.response.output.map((item) => [item.status, item.content?.[0]?.text]),
            isCompleted ? [['completed', 'Hello world']] : text === '' ? [] : [['incomplete', text]],
            name,
          );

          const { body: turn } = await world.call('GET', `/turns/${viewer.id}`);
          const steps = turn['steps'] as { started: boolean; attempts: Attempt[] }[];
          assert.deepEqual(
            steps.map(({ started }) => started),
            [isCompleted || text !== ''],
            name,
          );
          const attempts = steps[0]?.attempts ?? [];
          assert.deepEqual(
            attempts.map((of, index) => [of.attempt, of.outcome, of.code, failures[index]?.[1] === 'dated' ? 'dated' : of.wait_ms]),
            [
              ...failures.map(([failed, wait], index) => [index + 1, 'failed', failed, wait]),
              ...(isCompleted ? [[failures.length + 1, 'completed', undefined, undefined]] : []),
            ],
            name,
          );
          requests.slice(1).forEach((request, index) => {
            const waitedMs = request.arrivedAtMs - (requests[index]?.endedAtMs ?? Number.NaN);
            const askedMs = attempts[index]?.wait_ms ?? Number.NaN;
            assert.ok(waitedMs >= askedMs - 5, `${name}: waited ${waitedMs} of ${askedMs} ms before request ${index + 2}`);
          });
          assert.deepEqual(
            requests.map(({ bodyText }) => bodyText),
            requests.map(() => requests[0]?.bodyText),
            'T1 · the same prompt each time',
          );
          if (each.says !== undefined) {
            assert.equal(viewer.last.response.error?.message.slice(0, each.says.length), each.says, name);
            assert.doesNotMatch(`${viewer.comments.join()} ${JSON.stringify(turn['error'])}`, /retry|busy\.|again at/, name);
            assert.equal(turn['retry_at'], undefined, name);
          }
          if (each.retryAfterMs === undefined) return;
          const retryAt = String(turn['retry_at']);
          assert.ok(Date.parse(retryAt) >= requests[0]!.arrivedAtMs + each.retryAfterMs - 5, `${name}: ${retryAt}`);
          assert.ok(viewer.last.response.error?.message.includes(retryAt), viewer.last.response.error?.message);
        }),
      );
      assert.deepEqual(
        [...new Set(world.model.requests.map(({ path }) => path))],
        [api === 'chat' ? '/v1/chat/completions' : '/v1/responses'],
      );
    },
    { api, model: caseModel(cases) },
  );
}

const fine = chatAnswer('Hello', ' world');

tell('T4 · a busy provider is asked again when it says so, three times at most', 'chat', [
  { name: 'retry-after: 1', scripts: [busy(429, { 'retry-after': '1' }), fine], failures: [again(1_000)] },
  { name: 'retry-after: 0.2', scripts: [busy(429, { 'retry-after': '0.2' }), fine], failures: [again(200)] },
  { name: 'retry-after-ms: 100', scripts: [busy(429, { 'retry-after-ms': '100', 'retry-after': '30' }), fine], failures: [again(100)] },
  { name: 'retry-after: 0', scripts: [busy(429, { 'retry-after': '0' }), fine], failures: [again(0)] },
  {
    name: 'retry-after: a date 2 s ahead',
    get scripts() {
      return [busy(429, { 'retry-after': new Date(Date.now() + 2_000).toUTCString() }), fine];
    },
    failures: [again('dated')],
  },
  {
    name: 'retry-after: a past date',
    scripts: [busy(429, { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }), fine],
    failures: [again(0)],
  },
  { name: 'retry-after: nonsense', scripts: [busy(429, { 'retry-after': 'soon' }), fine], failures: [again(1_000)] },
  { name: 'no retry-after, twice', scripts: [busy(429), busy(429), fine], failures: [again(1_000), again(2_000)] },
  { name: 'x-should-retry: true changes nothing', scripts: [busy(503, { 'x-should-retry': 'true' }), fine], failures: [again(1_000)] },
  ...[408, 409, 500, 502, 503, 504, 529].map((status) => ({
    name: `${status}, then fine`,
    scripts: [busy(status), fine],
    failures: [again(1_000)],
  })),
  {
    name: 'busy three times',
    scripts: [busy(503), busy(429, { 'retry-after': '0.1' }), busy(500, { 'retry-after': '5' }), fine],
    failures: [again(1_000), again(100), again()],
    retryAfterMs: 5_000,
  },
  {
    name: 'reset, 503, reset',
    scripts: [[reset], busy(503), [reset], fine],
    failures: [['transport_failed', 1_000], again(2_000), ['transport_failed']],
  },
  {
    name: '503, reset, 503',
    scripts: [busy(503), [reset], busy(503), fine],
    failures: [again(1_000), ['transport_failed', 2_000], again()],
  },
  {
    name: 'reset, reset, 503',
    scripts: [[reset], [reset], busy(503), fine],
    failures: [['transport_failed', 1_000], ['transport_failed', 2_000], again()],
  },
  { name: '503, 503, reset', scripts: [busy(503), busy(503), [reset], fine], failures: [again(1_000), again(2_000), ['transport_failed']] },
  { name: '503, reset, then fine', scripts: [busy(503), [reset], fine], failures: [again(1_000), ['transport_failed', 2_000]] },
  {
    name: 'reset, 429 with 0, then fine',
    scripts: [[reset], busy(429, { 'retry-after': '0' }), fine],
    failures: [['transport_failed', 1_000], again(0)],
  },
  {
    name: 'an error event before the start',
    scripts: [[sseHead, chat.role(), chat.error('slow down', { code: 'rate_limit_exceeded' }), end], fine],
    failures: [again(1_000)],
  },
  {
    name: 'an error event with a number before the start',
    scripts: [[sseHead, chat.error('overloaded', { type: 'overloaded', code: 529 }), end], fine],
    failures: [again(1_000)],
  },
  {
    name: 'an error event, a reset, a 503',
    scripts: [[sseHead, chat.error('slow down', { code: 'rate_limit_exceeded' }), end], [reset], busy(503), fine],
    failures: [again(1_000), ['transport_failed', 2_000], again()],
  },
]);

const quota = error({ message: 'You exceeded your current quota.', type: 'insufficient_quota', code: 'insufficient_quota' });
const tryLater = 'Rate limit reached. Please try again in 2m30s.';
const usedUp = 'The quota or the credit of the account at the model provider is used up';

tell('T4 · a provider that wants no more, or wants it too late, is not asked again', 'chat', [
  { name: 'retry-after: 61', scripts: [busy(429, { 'retry-after': '61' }), fine], failures: [again()], retryAfterMs: 61_000 },
  { name: 'retry-after-ms: 60001', scripts: [busy(503, { 'retry-after-ms': '60001' }), fine], failures: [again()], retryAfterMs: 60_001 },
  { name: 'x-should-retry: false', scripts: [busy(429, { 'x-should-retry': 'false' }), fine], failures: [again()] },
  {
    name: 'x-should-retry: false upon 500',
    scripts: [busy(500, { 'x-should-retry': 'false', 'retry-after': '1' }), fine],
    failures: [again()],
    retryAfterMs: 1_000,
  },
  { name: 'quota', scripts: [busy(429, { 'retry-after': '1' }, quota), fine], failures: [again()], says: usedUp },
  {
    name: 'quota by its sentence',
    scripts: [busy(429, {}, error({ message: 'You exceeded your current quota.' })), fine],
    failures: [again()],
    says: usedUp,
  },
  {
    name: 'quota in the stream',
    scripts: [[sseHead, chat.error('no more', { code: 'insufficient_quota' }), end], fine],
    failures: [again()],
    says: usedUp,
  },
  {
    name: 'an error event after the start',
    scripts: [[sseHead, chat.content('Hel'), chat.error('slow down', { code: 'rate_limit_exceeded' }), end], fine],
    failures: [again()],
    text: 'Hel',
  },
  {
    name: 'a wait in the words of an error event before the start',
    scripts: [[sseHead, chat.role(), chat.error(tryLater, { code: 'rate_limit_exceeded' }), end], fine],
    failures: [again()],
    retryAfterMs: 150_000,
  },
  {
    name: 'a wait in the words of an error event after the start',
    scripts: [[sseHead, chat.content('Hel'), chat.error(tryLater, { code: 'rate_limit_exceeded' }), end], fine],
    failures: [again()],
    text: 'Hel',
    retryAfterMs: 150_000,
  },
  {
    name: 'a finish reason by which the server gives up',
    scripts: [[sseHead, chat.content('Hel'), chat.finish('error'), end], fine],
    failures: [again()],
    text: 'Hel',
  },
]);

const rejected: Failed[] = [['provider_rejected']];

tell('T3 · a rejected request is not sent again, and no redirect is followed', 'chat', [
  ...[400, 401, 403, 404, 405, 410, 413, 422].map((status) => ({
    name: `${status}`,
    scripts: [busy(status, { 'retry-after': '1', 'x-should-retry': 'true' }), fine],
    failures: rejected,
  })),
  ...[301, 302, 303, 307, 308].map((status) => ({
    name: `redirect ${status}`,
    scripts: [busy(status, { location: '/v1/elsewhere?key=secret' }), fine],
    failures: rejected,
  })),
  { name: 'an unknown error in the stream', scripts: [[sseHead, chat.error('no', { type: 'brand_new' }), end], fine], failures: rejected },
  {
    name: 'an unknown error after the start',
    scripts: [[sseHead, chat.content('Hel'), chat.error('no', { type: 'brand_new' }), end], fine],
    failures: rejected,
    text: 'Hel',
  },
]);

const tooLong: Failed[] = [['context_length_exceeded']];
const sentences = [
  "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
  'Your input exceeds the context window of this model. Please adjust your input and try again.',
  'the request exceeds the available context size. try increasing the context size or enable context shift',
  'prompt is too long: 210000 tokens > 200000 maximum',
  'Please reduce the length of the messages or completion.',
  'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
];

tell('a conversation past the context window is told in any of its forms, and not sent again', 'chat', [
  ...sentences.map((sentence) => ({ name: sentence, scripts: [busy(400, {}, error({ message: sentence })), fine], failures: tooLong })),
  { name: 'by code', scripts: [busy(400, {}, error({ code: 'context_length_exceeded' })), fine], failures: tooLong },
  { name: 'by type', scripts: [busy(400, {}, error({ code: 400, type: 'exceed_context_size_error' })), fine], failures: tooLong },
  { name: 'by code, as a 500', scripts: [busy(500, {}, error({ code: 'context_length_exceeded' })), fine], failures: tooLong },
  { name: 'as a 413', scripts: [busy(413, {}, error({ message: sentences[0] })), fine], failures: tooLong },
  { name: 'as a bare text', scripts: [busy(400, {}, { error: sentences[0] }), fine], failures: tooLong },
  { name: 'as a detail', scripts: [busy(422, {}, { detail: sentences[0] }), fine], failures: tooLong },
  { name: 'flat', scripts: [busy(400, {}, { object: 'error', message: sentences[0], code: 400 }), fine], failures: tooLong },
  { name: 'in a list', scripts: [busy(400, {}, [error({ message: sentences[5], status: 'INVALID_ARGUMENT' })]), fine], failures: tooLong },
  { name: 'in the stream', scripts: [[sseHead, chat.error(sentences[2] ?? ''), end], fine], failures: tooLong },
  {
    name: 'in the stream after the start',
    scripts: [[sseHead, chat.content('Hel'), chat.error('x', { code: 'context_length_exceeded' }), end], fine],
    failures: tooLong,
    text: 'Hel',
  },
]);

/** Each form of an error in a Responses stream, before the start and after it. */
function inBand(code: string, before: { failures: readonly Failed[] }, after: readonly Failed[]): Told[] {
  const forms = { flat: 'errorFlat', nested: 'errorNested', failed: 'failed' } as const;
  const whole = responsesAnswer('Hello', ' world');
  return Object.entries(forms).flatMap(([form, method]) => {
    const early = new ResponsesWriter();
    const late = new ResponsesWriter();
    return [
      {
        name: `${code}, ${form}, before the start`,
        scripts: [[sseHead, ...early.begin(), ...early[method](code, 'scripted'), end], whole],
        ...before,
      },
      {
        name: `${code}, ${form}, after the start`,
        scripts: [[sseHead, ...late.begin(), ...late.text('Hel'), ...late[method](code, 'scripted'), end], whole],
        failures: after,
        text: 'Hel',
      },
    ];
  });
}

tell('T4 · errors told in a Responses stream are classified as if they were statuses', 'responses', [
  ...inBand('rate_limit_exceeded', { failures: [again(1_000)] }, [again()]),
  ...inBand('server_error', { failures: [again(1_000)] }, [again()]),
  ...inBand('insufficient_quota', { failures: [again()] }, [again()]),
  ...inBand('context_length_exceeded', { failures: tooLong }, tooLong),
  ...['errorFlat', 'failed'].map((method) => ({
    name: `invalid_prompt, ${method}`,
    scripts: [
      [sseHead, ...new ResponsesWriter()[method as 'failed']('invalid_prompt', 'scripted'), end],
      responsesAnswer('Hello', ' world'),
    ],
    failures: rejected,
  })),
  ...(['errorFlat', 'failed'] as const).map((method) => {
    const writer = new ResponsesWriter();
    return {
      name: `a wait in the words of an error, ${method}`,
      scripts: [
        [sseHead, ...writer.begin(), ...writer.text('Hel'), ...writer[method]('rate_limit_exceeded', tryLater), end],
        responsesAnswer('Hello', ' world'),
      ],
      failures: [again()],
      text: 'Hel',
      retryAfterMs: 150_000,
    };
  }),
  { name: '429', scripts: [busy(429, { 'retry-after': '0.1' }), responsesAnswer('Hello', ' world')], failures: [again(100)] },
]);

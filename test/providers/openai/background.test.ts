/** Answers that the provider keeps: read on where their connection broke, by requests that ask the model nothing. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ModelEvent } from '../../../src/domain/model.ts';
import { createProvider } from '../../../src/providers/create-provider.ts';
import type { BackgroundCallbacks, BackgroundResponses } from '../../../src/providers/provider.ts';
import {
  end,
  fin,
  head,
  hold,
  httpError,
  type KeptAnswer,
  KeptAnswers,
  type ModelServer,
  repeat,
  reset,
  ResponsesWriter,
  type Script,
  sseHead,
  stall,
  startModelServer,
  text,
} from '../../../src/testing/model-server/index.ts';
import { collect, helloRequest, limits, neverAborted, outcomeOf, type StreamResult } from '../support.ts';

const words = ['Hel', 'lo ', 'wor', 'ld, ', 'gó'];

/** created 0, in_progress 1, item added 2, part added 3, deltas 4 to 8. */
function answerOf(breaks: KeptAnswer['breaks'] = [], ...more: Script): KeptAnswer {
  const writer = new ResponsesWriter({ id: 'resp_p' });
  return { steps: [...writer.begin(), ...writer.text(...words), ...more, ...writer.completed()], breaks };
}

interface Scene extends AsyncDisposable {
  readonly server: ModelServer;
  readonly answers: KeptAnswers;
  readonly background: BackgroundResponses;
  readonly ids: string[];
  readonly reattached: { readonly after: number; readonly reason: string }[];
  readonly callbacks: BackgroundCallbacks;
  requests(): readonly string[];
}

async function sceneOf(...kept: readonly KeptAnswer[]): Promise<Scene> {
  return sceneAt('', ...kept);
}

/** @param query of the base URL */
async function sceneAt(query: string, ...kept: readonly KeptAnswer[]): Promise<Scene> {
  const answers = new KeptAnswers(...kept);
  const server = await startModelServer({ fallback: (request) => answers.reply(request) });
  const provider = createProvider({ api: 'responses', baseUrl: server.baseUrl + query, limits, reattach: true });
  const { background } = provider;
  assert.ok(background);
  const ids: string[] = [];
  const reattached: Scene['reattached'] = [];
  return {
    server,
    answers,
    background,
    ids,
    reattached,
    callbacks: { onResponseId: async (id) => void ids.push(id), onReattached: (each) => void reattached.push(each) },
    requests: () => server.requests.map(({ method, path }) => `${method} ${path}`),
    async [Symbol.asyncDispose]() {
      await provider.close();
      await server.close();
    },
  };
}

async function unbroken(): Promise<readonly ModelEvent[]> {
  await using scene = await sceneOf(answerOf());
  return (await collect(scene.background.start(helloRequest, neverAborted, scene.callbacks))).events;
}

/** Lets a break happen once what came before it has been read. */
async function started(scene: Scene, release: readonly string[] = []): Promise<StreamResult> {
  return collect(scene.background.start(helloRequest, neverAborted, scene.callbacks), async () => {
    for (const name of release) {
      await scene.server.reached(name);
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      scene.server.release(name);
    }
  });
}

test('an answer is asked for in background mode, to be kept; without the opt-in no byte of the request is another', async () => {
  await using scene = await sceneOf(answerOf());
  const result = await started(scene);
  assert.deepEqual([outcomeOf(result), result.text], ['finished', words.join('')]);
  assert.deepEqual(scene.ids, ['resp_p']);
  const [request] = scene.server.requests;
  const { background, store, stream, ...rest } = (request?.body ?? {}) as Record<string, unknown>;
  assert.deepEqual([background, store, stream], [true, true, true]);

  const provider = createProvider({ api: 'responses', baseUrl: scene.server.baseUrl, limits });
  assert.equal(provider.background, undefined);
  scene.server.enqueue(httpError(500));
  await collect(provider.stream(helloRequest, neverAborted));
  await provider.close();
  assert.deepEqual(scene.server.requests[1]?.body, { ...rest, stream: true, store: false });
});

suite('no new request, no token twice or lost: a connection that breaks is gone on with behind the last whole event', () => {
  const cut = (by: Script, before = 6): KeptAnswer['breaks'] => [{ before, by }];
  const cases: Readonly<
    Record<string, { readonly breaks: KeptAnswer['breaks']; readonly holds?: string[]; readonly behind: readonly number[] }>
  > = {
    'by a reset': { breaks: cut([hold('read'), reset]), holds: ['read'], behind: [5] },
    'by a FIN': { breaks: cut([fin]), behind: [5] },
    'by an end without proof': { breaks: cut([end]), behind: [5] },
    'in the middle of an event': { breaks: cut([text('event: response.output_text.delta\ndata: {"type":"respo'), fin]), behind: [5] },
    'in the middle of a character': {
      breaks: cut([text(Buffer.from('data: {"delta":"ó').subarray(0, -1)), fin], 8),
      behind: [7],
    },
    'between data and the empty line': {
      breaks: cut([text('data: {"type":"response.output_text.delta","sequence_number":6}\n'), fin]),
      behind: [5],
    },
    'before anything has started': { breaks: cut([fin], 2), behind: [1] },
    'again and again': {
      breaks: [3, 4, 5, 6, 7, 8, 9].map((before) => ({ before, by: [fin] })),
      behind: [2, 3, 4, 5, 6, 7, 8],
    },
  };
  for (const [name, { breaks, holds = [], behind }] of Object.entries(cases)) {
    test(name, async () => {
      await using scene = await sceneOf(answerOf(breaks));
      const result = await started(scene, holds);
      assert.equal(outcomeOf(result), 'finished');
      assert.deepEqual(result.events, await unbroken());
      const gets = behind.map((after) => `GET /v1/responses/resp_p?stream=true&starting_after=${after}`);
      assert.deepEqual(scene.requests(), ['POST /v1/responses', ...gets]);
      assert.deepEqual(
        scene.reattached.map(({ after }) => after),
        behind,
      );
      assert.deepEqual(scene.answers.cancelled, []);
    });
  }
});

test('what a server says again, although it was asked for what is behind it, is not said twice', async () => {
  await using scene = await sceneOf(answerOf([{ before: 7, by: [fin] }]));
  const { reply } = scene.answers;
  Object.assign(scene.answers, {
    reply: (request: Parameters<typeof reply>[0]) => reply({ ...request, path: request.path.replace(/&starting_after=\d+/, '') }),
  });
  const result = await started(scene);
  assert.deepEqual(result.events, await unbroken());
});

test('a try that fails for a moment is made again', async () => {
  await using scene = await sceneOf(answerOf([{ before: 7, by: [fin] }]));
  const onResponseId = async (): Promise<void> => scene.server.enqueue(httpError(503));
  const result = collect(scene.background.start(helloRequest, neverAborted, { ...scene.callbacks, onResponseId }));
  assert.equal(outcomeOf(await result), 'finished');
  assert.deepEqual((await result).events, await unbroken());
  assert.equal(scene.requests().length, 3);
});

suite('where the provider cannot go on, the law stands: the break is what ended the answer', () => {
  const gone: KeptAnswer['breaks'] = [{ before: 7, by: [fin] }];

  test('it has the response no more (404)', async () => {
    await using scene = await sceneOf(answerOf(gone));
    const result = await collect(scene.background.start(helloRequest, neverAborted, scene.callbacks), () => scene.answers.forget());
    assert.deepEqual([outcomeOf(result), result.failure?.detail, result.text], ['stream_interrupted', 'UND_ERR_SOCKET', 'Hello wor']);
    assert.equal(scene.requests().length, 2);
  });

  test('it leaves out an event', async () => {
    await using scene = await sceneOf(answerOf(gone));
    const { reply } = scene.answers;
    Object.assign(scene.answers, {
      reply: (request: Parameters<typeof reply>[0]) => reply({ ...request, path: request.path.replace(/after=6/, 'after=7') }),
    });
    const result = await started(scene);
    assert.deepEqual([outcomeOf(result), result.failure?.detail, result.text], ['stream_interrupted', 'UND_ERR_SOCKET', 'Hello wor']);
  });

  test('its events have no numbers: nobody could tell what is missing', async () => {
    const writer = new ResponsesWriter({ id: 'resp_p', isBare: true });
    await using scene = await sceneOf({ steps: [...writer.begin(), ...writer.text(...words), fin] });
    scene.server.enqueue([sseHead, ...writer.begin(), ...writer.text('Hel'), fin]);
    const result = await started(scene);
    assert.equal(outcomeOf(result), 'stream_interrupted');
    assert.deepEqual([scene.ids, scene.requests().length], [[], 1]);
  });

  test('before the step has started it may be asked again', async () => {
    await using scene = await sceneOf(answerOf([{ before: 2, by: [fin] }]));
    const { callbacks } = scene;
    const onResponseId = async (): Promise<void> => scene.answers.forget();
    const result = await collect(scene.background.start(helloRequest, neverAborted, { ...callbacks, onResponseId }));
    assert.deepEqual([outcomeOf(result), result.hasStarted], ['transport_failed', false]);
  });
});

test('T14 · a line without an end is cut short as ever, and nobody keeps it', async () => {
  await using scene = await sceneOf(answerOf());
  const script = [sseHead, text('data: '), repeat(500_000, 'x'.repeat(64)), stall];
  scene.server.enqueue(script);
  const result = await started(scene);
  assert.deepEqual([outcomeOf(result), result.failure?.detail], ['output_too_large', 'event_too_long']);
});

test('a page instead of an answer is known by its first bytes', async () => {
  await using scene = await sceneOf(answerOf());
  scene.server.enqueue([head({ headers: { 'content-type': 'text/html' } }), text('<!doctype html>'), stall]);
  assert.equal(outcomeOf(await started(scene)), 'provider_protocol');
});

test('another process reads the whole answer from its beginning, and over breaks', async () => {
  await using scene = await sceneOf(
    answerOf([
      { before: 6, by: [fin] },
      { before: 7, by: [fin] },
    ]),
  );
  const first = new AbortController();
  await collect(scene.background.start(helloRequest, first.signal, { onResponseId: async () => first.abort(new Error('dead')) }));
  const result = await collect(scene.background.readOn('resp_p', {}, neverAborted, scene.callbacks));
  assert.deepEqual(result.events, await unbroken());
  assert.deepEqual(scene.requests().slice(1), [
    'GET /v1/responses/resp_p?stream=true',
    'GET /v1/responses/resp_p?stream=true&starting_after=6',
  ]);
});

test('what the base URL asks for is asked for with each request, such as the version of an API', async () => {
  await using scene = await sceneAt('?api-version=1', answerOf([{ before: 6, by: [fin] }]));
  await collect(scene.background.start(helloRequest, neverAborted, scene.callbacks));
  await collect(scene.background.readOn('resp_p', {}, neverAborted, scene.callbacks));
  await scene.background.cancel('resp_p');
  assert.deepEqual(scene.requests(), [
    'POST /v1/responses?api-version=1',
    'GET /v1/responses/resp_p?api-version=1&stream=true&starting_after=5',
    'GET /v1/responses/resp_p?api-version=1&stream=true',
    'POST /v1/responses/resp_p/cancel?api-version=1',
  ]);
});

test('another process finds that the provider has it no more: as if the connection had failed', async () => {
  await using scene = await sceneOf(answerOf());
  const result = await collect(scene.background.readOn('resp_gone', {}, neverAborted, scene.callbacks));
  assert.deepEqual([outcomeOf(result), result.failure?.detail], ['transport_failed', '404']);
});

test('T5 · a cancel ends the wait between two tries, and the socket; what stops the bill is a request', async () => {
  await using scene = await sceneOf(answerOf([{ before: 7, by: [fin] }]));
  const cancel = new AbortController();
  const onResponseId = async (): Promise<void> => scene.server.enqueue(httpError(503));
  const result = collect(scene.background.start(helloRequest, cancel.signal, { ...scene.callbacks, onResponseId }));
  await scene.server.nextRequest(2);
  cancel.abort(new Error('cancelled'));
  assert.equal(outcomeOf(await result), 'thrown cancelled');
  await scene.background.cancel('resp_p');
  assert.deepEqual(scene.answers.cancelled, ['resp_p']);
  assert.equal(scene.requests().at(-1), 'POST /v1/responses/resp_p/cancel');
});

test('T5 · a deadline reaches a connection that goes on with the answer and says nothing', async () => {
  await using scene = await sceneOf(
    answerOf([
      { before: 7, by: [fin] },
      { before: 7, by: [stall] },
    ]),
  );
  const provider = createProvider({
    api: 'responses',
    baseUrl: scene.server.baseUrl,
    limits: { ...limits, idleTimeoutMs: 300 },
    reattach: true,
  });
  const stream = provider.background?.start(helloRequest, neverAborted, scene.callbacks);
  assert.ok(stream);
  const result = await collect(stream);
  assert.deepEqual([outcomeOf(result), result.failure?.detail], ['model_timeout', 'next_event']);
  await scene.server.clientClosed(2);
  await provider.close();
});

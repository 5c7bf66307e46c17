/**
 * What servers of OpenAI's kind really send, through the whole of turnkeep: each recorded shape asked for by every protocol,
 * how many requests it costs, and the next turn of its conversation.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { chatAnswer, type LoggedRequest, responsesAnswer, type Script } from '../../src/testing/model-server/index.ts';
import { openCalls, type Protocol, protocols, type Turn } from '../support/dialect-protocols.ts';
import { assertBecame, customTools, pick, scriptOf, type Shape, shapes, titleOf } from '../support/dialects.ts';
import { assertSendable } from '../support/provider-prompt.ts';
import { World } from '../support/world.ts';

/** What the user says first, in every request of a conversation: it tells which it is. */
const mark = /«[^»]+»/;

/** What a call that was cut off has for its output. */
const noOutput = '[no result was given]';

/**
 * Which protocols go on with the conversation: one of those that show enough of the answer, each in its turn; where there are
 * calls, the first one besides.
 */
function goesOn(protocol: Protocol, shape: Shape, hasCalls: boolean): boolean {
  // The two that have its items.
  if (shape.told !== undefined && protocols.indexOf(protocol) < 2) return true;
  const able = protocols.filter(({ showsFailed }, at) => (hasCalls ? at > 0 : showsFailed || shape.becomes.status !== 'failed'));
  return (hasCalls && protocol === protocols[0]) || protocol === able[shapes.indexOf(shape) % able.length];
}

/** The message with the last calls in a request to a chat provider. */
function callsSent(request: LoggedRequest | undefined): { readonly tool_calls: readonly object[] } {
  const { messages } = (request?.body ?? {}) as { messages?: { tool_calls?: object[] }[] };
  const message = messages?.findLast(({ tool_calls: calls }) => calls !== undefined);
  assert.ok(message?.tool_calls, 'there are no calls in the request');
  return { ...message, tool_calls: message.tool_calls };
}

/** The items of the answer are in the request to a Responses provider, in their order. */
function assertTold(request: LoggedRequest, told: Shape['told'] = []): void {
  const { input = [] } = request.body as { readonly input?: readonly object[] };
  let from = 0;
  for (const item of told) {
    const at = input.findIndex((each, place) => place >= from && isDeepStrictEqual(pick(each, Object.keys(item)), item));
    assert.notEqual(at, -1, `${JSON.stringify(item)} is not told in its place: ${JSON.stringify(input)}`);
    from = at + 1;
  }
}

class Conversation {
  /** What the model server answers now. */
  script: Script;
  readonly requests: LoggedRequest[] = [];
  readonly #world: World;
  readonly #shape: Shape;
  readonly #protocol: Protocol;
  readonly words: string;

  constructor(world: World, conversations: Map<string, Conversation>, shape: Shape, protocol: Protocol) {
    this.#world = world;
    this.#shape = shape;
    this.#protocol = protocol;
    this.words = `«${shapes.indexOf(shape)} ${protocol.name}»`;
    this.script = scriptOf(shape);
    conversations.set(this.words, this);
  }

  async run(): Promise<void> {
    const first = await this.#protocol.ask(this.#world, this.#shape, this.words);
    assertBecame(this.#shape, first.shown);
    assert.equal(this.requests.length, this.#shape.becomes.requests ?? 1, 'requests to the provider');
    const calls = openCalls(first);
    const outputs = Array.from({ length: calls }, (_, at) => `first output ${at}`);
    if (!goesOn(this.#protocol, this.#shape, calls > 0)) return;
    if (calls > 0 && this.#protocol === protocols[0]) await this.#callAgain(first, outputs);
    else await this.#goOn(first, outputs, outputs);
  }

  /** The model calls once more, with the same ids where it numbers them anew: each call has its own output. */
  async #callAgain(first: Turn, outputs: readonly string[]): Promise<void> {
    const second = await first.next?.('', outputs);
    assert.ok(second);
    assertBecame(this.#shape, second.shown);
    const { back } = this.#shape;
    if (back !== undefined) assert.deepEqual(pick(callsSent(this.requests.at(-1)), Object.keys(back)), back);
    const more = outputs.map((_, at) => `second output ${at}`);
    await this.#goOn(second, more, [...outputs, ...more]);
  }

  /** T13 · what was shown is taken back, and reaches the provider in a form that it accepts. */
  async #goOn(turn: Turn, outputs: readonly string[], all: readonly string[]): Promise<void> {
    if (turn.next === undefined) return;
    const before = this.requests.length;
    this.script = this.#shape.api === 'chat' ? chatAnswer('Fine.') : responsesAnswer('Fine.');
    const { shown } = await turn.next('and now?', outputs);
    assert.deepEqual([shown.status, shown.text, shown.message], ['completed', 'Fine.', undefined]);
    assert.equal(this.requests.length, before + 1);
    const request = this.requests.at(-1);
    assert.ok(request);
    assert.deepEqual(
      assertSendable(request).filter((output) => output !== noOutput),
      all,
    );
    if (protocols.indexOf(this.#protocol) < 2) assertTold(request, this.#shape.told);
    const { calls } = this.#shape.becomes;
    if (outputs.length === 0 || this.#shape.api !== 'chat' || calls === 'any') return;
    const sent = callsSent(request).tool_calls;
    for (const [at, { provider_fields: fields }] of calls?.entries() ?? []) {
      if (fields !== undefined) assert.deepEqual(pick(sent[at] ?? {}, Object.keys(fields)), fields);
    }
  }
}

/** No shape is about workers that are lost. */
const patient = { heartbeatTimeoutMs: 20_000 };

for (const api of ['chat', 'responses'] as const) {
  test(`a ${api} provider's dialects, by every protocol`, { concurrency: 3 }, async (t) => {
    const conversations = new Map<string, Conversation>();
    const model = (request: LoggedRequest): Script => {
      const conversation = conversations.get(mark.exec(request.bodyText)?.[0] ?? '');
      assert.ok(conversation, 'a request of no conversation');
      conversation.requests.push(request);
      return conversation.script;
    };
    await using world = await World.open({ api, model: () => ({ fallback: model }), limits: patient });
    await Promise.all(
      shapes
        .filter((shape) => shape.api === api)
        .map((shape) =>
          t.test(titleOf(shape), async () => {
            const able = protocols.filter(({ lacksCustom }) => lacksCustom === undefined || customTools(shape).length === 0);
            const runs = able.map(async (protocol) => {
              try {
                await new Conversation(world, conversations, shape, protocol).run();
              } catch (error) {
                throw new Error(`${protocol.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
              }
            });
            const errors = (await Promise.allSettled(runs)).flatMap((run) => (run.status === 'rejected' ? [run.reason as Error] : []));
            if (errors.length > 0) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n\n'));
          }),
        ),
    );
    await ended(world);
  });
}

/** A turn has its end before its workflow has. */
async function ended({ temporal, config }: World): Promise<void> {
  const query = `TaskQueue = '${config.taskQueue}' AND ExecutionStatus = 'Running'`;
  while ((await temporal.workflow.count(query)).count > 0);
}

/**
 * A shape asked for by each protocol that turnkeep speaks, with the clients that people use, and the turn after it: what
 * the protocol showed goes back as its client would send it, with an output for each call.
 */
import assert from 'node:assert/strict';
import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai';
import OpenAI from 'openai';
import type { ChatCompletionMessage, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { Response, ResponseCreateParamsNonStreaming, ResponseInputItem } from 'openai/resources/responses/responses';
import { callIdOf } from '../../src/gateway/ai-sdk/parts.ts';
import { argumentsOf, customTools, type JsonObject, type Shape, type Shown, type ShownCall } from './dialects.ts';
import { assertGrammar, shownByEvents, shownByResponse } from './response-events.ts';
import type { SeenEvent } from './viewer.ts';
import type { World } from './world.ts';

export interface Turn {
  readonly shown: Shown;
  /**
   * Asks again in the same conversation, with these outputs of the calls in order. Undefined where the protocol left its
   * client nothing to go on with.
   */
  readonly next?: (words: string, outputs: readonly string[]) => Promise<Turn>;
}

export interface Protocol {
  readonly name: string;
  /** Whether a client has something to go on with when a turn has failed. */
  readonly showsFailed: boolean;
  /** Whether a client has no way to offer a freeform tool. */
  readonly lacksCustom?: true;
  /** @param words what the user says: they tell the model server which shape it is */
  ask(world: World, shape: Shape, words: string): Promise<Turn>;
}

/** How many calls of a turn are waiting for their outputs. */
export function openCalls({ shown }: Turn): number {
  return shown.status === 'completed' ? (shown.calls?.length ?? 0) : 0;
}

const user = (words: string): { role: 'user'; content: string } => ({ role: 'user', content: words });

/** The names of the functions that the shape calls. */
function functionNames({ becomes: { calls = [] } }: Shape): readonly string[] {
  return calls === 'any' ? ['get_weather'] : [...new Set(calls.map(({ name }) => name))];
}

const parameters = { type: 'object', properties: {} };

function responsesBody(shape: Shape): Omit<ResponseCreateParamsNonStreaming, 'input'> {
  const tools = functionNames(shape).map((name) => ({ type: 'function', name, parameters, strict: false }) as const);
  return { model: 'scripted', tools, ...(shape.ask as object) };
}

function outputItems(calls: Shown['calls'], outputs: readonly string[]): ResponseInputItem[] {
  return outputs.map((output, at): ResponseInputItem => {
    const call = calls?.[at] as (ShownCall & { readonly type?: string }) | undefined;
    const type = call?.type === 'custom_tool_call' ? 'custom_tool_call_output' : 'function_call_output';
    return { type, call_id: String(call?.call_id), output };
  });
}

/** One turn after the other, each named by its response. */
async function streamResponse(world: World, shape: Shape, input: string | ResponseInputItem[], previous?: string): Promise<Turn> {
  const events: SeenEvent[] = [];
  const stream = await world.client.responses.create({
    ...responsesBody(shape),
    input,
    stream: true,
    ...(previous === undefined ? {} : { previous_response_id: previous }),
  });
  for await (const event of stream) events.push(event as unknown as SeenEvent);
  assertGrammar(events);
  const response = events.at(-1)?.['response'] as Response;
  const shown = shownByEvents(events);
  assert.deepEqual(shown, shownByResponse(response), 'what was shown is what the last event says');
  return {
    shown,
    next: (words, outputs) =>
      streamResponse(world, shape, [...outputItems(shown.calls, outputs), ...(words === '' ? [] : [user(words)])], response.id),
  };
}

/** All items sent again with each request, as clients do that keep the conversation themselves. */
async function createResponse(world: World, shape: Shape, input: readonly ResponseInputItem[]): Promise<Turn> {
  const response = await world.client.responses.create({ ...responsesBody(shape), input: [...input] });
  const shown = shownByResponse(response);
  return {
    shown,
    next: (words, outputs) =>
      createResponse(world, shape, [
        ...input,
        ...(response.output as ResponseInputItem[]),
        ...outputItems(shown.calls, outputs),
        user(words),
      ]),
  };
}

type ShownChatCall = { readonly id: string; readonly index?: number } & (
  | { readonly type: 'function'; readonly function: { readonly name: string; readonly arguments: string }; readonly custom?: undefined }
  | { readonly type: 'custom'; readonly custom: { readonly name: string; readonly input: string }; readonly function?: undefined }
);

/** A call of the Chat Completions protocol. What stands beside OpenAI's own fields is the provider's. */
function shownCall({ id, type, function: called, custom, ...provider_fields }: ShownChatCall): Partial<ShownCall> {
  assert.equal(type, custom === undefined ? 'function' : 'custom');
  if (custom !== undefined) return { name: custom.name, arguments: custom.input, call_id: id, provider_fields };
  return { name: called.name, arguments: argumentsOf(called.arguments), call_id: id, provider_fields };
}

function chatBody(shape: Shape, messages: readonly ChatCompletionMessageParam[]) {
  const tier = shape.ask?.['service_tier'];
  const custom = new Set(customTools(shape));
  const tools = functionNames(shape).map((name) =>
    custom.has(name) ? ({ type: 'custom', custom: { name } } as const) : ({ type: 'function', function: { name, parameters } } as const),
  );
  return {
    model: 'scripted',
    messages: [...messages],
    ...(tools.length === 0 ? {} : { tools }),
    ...(tier === undefined ? {} : { service_tier: tier as 'flex' }),
  };
}

const chatEnds: Readonly<Record<string, Pick<Shown, 'status' | 'reason'>>> = {
  stop: { status: 'completed' },
  tool_calls: { status: 'completed' },
  length: { status: 'incomplete', reason: 'max_output_tokens' },
  content_filter: { status: 'incomplete', reason: 'content_filter' },
};

function chatTurn(
  world: World,
  shape: Shape,
  messages: readonly ChatCompletionMessageParam[],
  completion: Pick<OpenAI.ChatCompletion, 'usage' | 'service_tier'> & { readonly message: ChatCompletionMessage; readonly end: string },
  ask: typeof createCompletion,
): Turn {
  const { message, end, usage, service_tier: tier } = completion;
  const calls = message.tool_calls ?? [];
  const shown: Shown = {
    ...(chatEnds[end] ?? { status: `finish_reason ${end}` }),
    text: message.content ?? '',
    refusal: message.refusal ?? '',
    reasoning: (message as { reasoning_content?: string }).reasoning_content ?? '',
    calls: calls.map((call) => shownCall(call as ShownChatCall)),
    usage:
      usage == null
        ? undefined
        : {
            input: usage.prompt_tokens,
            output: usage.completion_tokens,
            cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
            reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
          },
    tier: tier ?? undefined,
  };
  if (shown.status === 'completed') assert.equal(end, calls.length > 0 ? 'tool_calls' : 'stop');
  return {
    shown,
    next: (words, outputs) => {
      const tools = outputs.map((content, at) => ({ role: 'tool', tool_call_id: calls[at]?.id ?? '', content }) as const);
      // A client that got half a call keeps the text, not the call.
      const told = outputs.length === calls.length ? message : { ...message, content: message.content ?? '', tool_calls: undefined };
      return ask(world, shape, [...messages, told as ChatCompletionMessageParam, ...tools, user(words)]);
    },
  };
}

async function createCompletion(world: World, shape: Shape, messages: readonly ChatCompletionMessageParam[]): Promise<Turn> {
  const created = world.client.chat.completions.create({ ...chatBody(shape, messages), stream: false });
  const completion = await created.catch(failureOf);
  if ('shown' in completion) return completion;
  const [choice] = completion.choices;
  assert.ok(choice);
  return chatTurn(world, shape, messages, { ...completion, message: choice.message, end: choice.finish_reason }, createCompletion);
}

interface ChatCallPiece {
  readonly index: number;
  readonly function?: object;
  readonly custom?: object;
}

async function streamCompletion(world: World, shape: Shape, messages: readonly ChatCompletionMessageParam[]): Promise<Turn> {
  const message: Record<string, unknown> & { tool_calls: Record<string, unknown>[] } = { role: 'assistant', content: '', tool_calls: [] };
  const add = (to: Record<string, unknown>, field: string, text: unknown): void => {
    if (typeof text === 'string') to[field] = ((to[field] ?? '') as string) + text;
  };
  let end = '';
  let usage: OpenAI.CompletionUsage | undefined;
  let tier: OpenAI.ChatCompletionChunk['service_tier'];
  let failed: Turn | undefined;
  try {
    const stream = await world.client.chat.completions.create({
      ...chatBody(shape, messages),
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      tier = chunk.service_tier ?? tier;
      const [choice] = chunk.choices;
      if (choice === undefined) continue;
      assert.equal(end, '', 'nothing is said behind the finish reason');
      end = choice.finish_reason ?? '';
      const delta = choice.delta as Record<string, unknown> & typeof choice.delta;
      for (const field of ['content', 'refusal', 'reasoning_content']) add(message, field, delta[field]);
      for (const { index, function: called, custom, ...fields } of (delta.tool_calls ?? []) as ChatCallPiece[]) {
        const call = (message.tool_calls[index] ??= {});
        Object.assign(call, fields);
        for (const [kind, piece] of Object.entries({ function: called, custom })) {
          if (piece === undefined) continue;
          const whole = (call[kind] ??= {}) as Record<string, unknown>;
          for (const [field, text] of Object.entries(piece)) add(whole, field, text);
        }
      }
    }
  } catch (error) {
    failed = failureOf(error);
  }
  const { content, refusal = '', reasoning_content: reasoning = '' } = message as Record<string, string>;
  if (failed !== undefined) return { shown: { ...failed.shown, text: content, refusal, reasoning } };
  if (message.tool_calls.length === 0) delete (message as Record<string, unknown>)['tool_calls'];
  const told = message as unknown as ChatCompletionMessage;
  return chatTurn(world, shape, messages, { message: told, end, usage, service_tier: tier } as never, streamCompletion);
}

/** What this protocol shows of a failed turn: its error, and nothing to go on with. */
function failureOf(error: unknown): Turn {
  assert.ok(error instanceof OpenAI.APIError, String(error));
  return { shown: { status: 'failed', code: String(error.code), message: error.message } };
}

const uiEnds: Readonly<Record<string, Pick<Shown, 'status' | 'reason'>>> = {
  stop: { status: 'completed' },
  'tool-calls': { status: 'completed' },
  length: { status: 'incomplete', reason: 'max_output_tokens' },
  'content-filter': { status: 'incomplete', reason: 'content_filter' },
};

interface UiCall {
  readonly type: string;
  readonly state: string;
  readonly toolCallId: string;
  readonly input: unknown;
  readonly callProviderMetadata?: { readonly turnkeep?: { readonly provider_fields?: JsonObject } };
}

async function askUi(world: World, shape: Shape, chatId: string, messages: readonly UIMessage[]): Promise<Turn> {
  const tools = functionNames(shape).map((name) => ({ type: 'function', name, parameters }));
  const transport = new DefaultChatTransport({ api: `${world.url}/api/chat`, body: { tools } });
  const last = messages.at(-1);
  const stream = await transport.sendMessages({
    trigger: 'submit-message',
    chatId,
    messageId: undefined,
    messages: [...messages],
    abortSignal: undefined,
  });
  const chunks: UIMessageChunk[] = [];
  const [read, counted] = stream.tee();
  const counting = (async (): Promise<void> => {
    for await (const chunk of counted as unknown as AsyncIterable<UIMessageChunk>) chunks.push(chunk);
  })();
  let message: UIMessage | undefined;
  for await (const each of readUIMessageStream({
    stream: read,
    ...(last?.role === 'assistant' ? { message: structuredClone(last) } : {}),
    onError: () => undefined,
  }))
    message = each;
  await counting;
  const parts = (message?.parts ?? []).slice(last?.role === 'assistant' ? last.parts.length : 0) as (UiCall & { text: string })[];
  const joined = (type: string): string =>
    parts
      .filter((part) => part.type === type)
      .map((part) => part.text)
      .join('');
  const called = parts.filter(({ type }) => type.startsWith('tool-'));
  const error = chunks.find((chunk) => chunk.type === 'error')?.errorText;
  const finish = chunks.find((chunk) => chunk.type === 'finish')?.finishReason ?? '';
  const ended = error === undefined ? (uiEnds[finish] ?? { status: `finish ${finish}` }) : { status: 'failed', code: error.split(':')[0] };
  // This protocol has no part for a refusal: it is text.
  const { refusal = '' } = shape.becomes;
  const text = joined('text');
  // A call whose input is not whole is shown as it comes, for the eye only.
  const isWhole = ended.status === 'completed';
  const shown: Shown = {
    ...ended,
    text: text.endsWith(refusal) ? text.slice(0, text.length - refusal.length) : text,
    reasoning: joined('reasoning'),
    calls: isWhole
      ? called.map(({ type, toolCallId, input, callProviderMetadata }) => ({
          name: type.slice('tool-'.length),
          arguments: input as never,
          // A second call of one id has an id of its own for the UI.
          call_id: callIdOf(toolCallId),
          provider_fields: callProviderMetadata?.turnkeep?.provider_fields ?? {},
        }))
      : undefined,
    message: error,
  };
  if (isWhole) assert.ok(called.every(({ state }) => state === 'input-available'));
  return {
    shown,
    next: (words, outputs) => {
      let at = 0;
      const answered = (message?.parts ?? []).map((part) =>
        called.includes(part as never) && outputs.length > 0 ? { ...part, state: 'output-available', output: outputs[at++] } : part,
      );
      const told = message === undefined ? [] : [{ ...message, role: 'assistant', parts: answered } as UIMessage];
      return askUi(world, shape, chatId, [...messages, ...told, question(words)]);
    },
  };
}

function question(words: string): UIMessage {
  return { id: words, role: 'user', parts: [{ type: 'text', text: words }] };
}

export const protocols: readonly Protocol[] = [
  { name: 'Responses, streamed', showsFailed: true, ask: (world, shape, words) => streamResponse(world, shape, words) },
  { name: 'Responses, whole', showsFailed: true, ask: (world, shape, words) => createResponse(world, shape, [user(words)]) },
  { name: 'Chat Completions, streamed', showsFailed: false, ask: (world, shape, words) => streamCompletion(world, shape, [user(words)]) },
  { name: 'Chat Completions, whole', showsFailed: false, ask: (world, shape, words) => createCompletion(world, shape, [user(words)]) },
  {
    name: 'AI SDK',
    showsFailed: true,
    lacksCustom: true,
    ask: (world, shape, words) => askUi(world, shape, `${world.config.taskQueue} ${words}`, [question(words)]),
  },
];

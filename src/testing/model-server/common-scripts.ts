/** Whole scripts: the responses that most tests need. */
import * as chat from './chat.ts';
import type { LoggedRequest } from './request-log.ts';
import { ResponsesWriter } from './responses-writer.ts';
import type { Script } from './script.ts';
import { done, end, head, sseHead, text } from './steps.ts';

/**
 * A whole Chat Completions stream of these pieces of text.
 *
 * @example
 *     import { chatAnswer, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue(chatAnswer('Hel', 'lo'));
 */
export function chatAnswer(...pieces: readonly string[]): Script {
  return [sseHead, chat.role(), ...pieces.map(chat.content), chat.finish(), chat.usage(), done, end];
}

export interface ScriptedCall {
  readonly id: string;
  readonly name: string;
  /** Sent as JSON, in two pieces. */
  readonly arguments: unknown;
}

/**
 * A whole Chat Completions stream with these tool calls.
 *
 * @example
 *     import { chatAnswer, chatToolCalls, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue(chatToolCalls({ id: 'call_1', name: 'weather', arguments: { city: 'Oslo' } }), chatAnswer('Snow.'));
 */
export function chatToolCalls(...calls: readonly ScriptedCall[]): Script {
  const pieces = calls.flatMap(({ id, name, arguments: args }, index) => [
    chat.toolCall(index, { id, name }),
    ...halves(args).map((piece) => chat.toolCall(index, { arguments: piece })),
  ]);
  return [sseHead, chat.role(null), ...pieces, chat.finish('tool_calls'), chat.usage(), done, end];
}

/** A whole Responses stream of these pieces of text. */
export function responsesAnswer(...pieces: readonly string[]): Script {
  const writer = new ResponsesWriter();
  return [sseHead, ...writer.begin(), ...writer.text(...pieces), ...writer.completed(), end];
}

/** A whole Responses stream with these tool calls. */
export function responsesToolCalls(...calls: readonly ScriptedCall[]): Script {
  const writer = new ResponsesWriter();
  const pieces = calls.flatMap((call) => writer.functionCall(call.id, call.name, ...halves(call.arguments)));
  return [sseHead, ...writer.begin(), ...pieces, ...writer.completed(), end];
}

/**
 * A response with a `content-length`: a string as it is, anything else as JSON.
 *
 * @example
 *     import { httpResponse, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue(httpResponse(307, '', { location: '/elsewhere' }));
 */
export function httpResponse(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Script {
  const isText = typeof body === 'string';
  const bytes = Buffer.from(isText ? body : JSON.stringify(body));
  const contentType = { 'content-type': isText ? 'text/plain' : 'application/json' };
  return [head({ status, headers: { ...contentType, ...headers }, framing: { length: bytes.length } }), text(bytes), end];
}

/**
 * An error response, with a body as OpenAI's unless another is given.
 *
 * @example
 *     import { chatAnswer, httpError, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue(httpError(429, undefined, { 'retry-after': '1' }), chatAnswer('Hello'));
 */
export function httpError(status: number, body?: unknown, headers?: Readonly<Record<string, string>>): Script {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return httpResponse(status, body ?? { error: { message: `scripted ${status}`, type, param: null, code: null } }, headers);
}

/** An HTML page, as a captive portal, a proxy or a wrong base URL sends it. */
export function htmlPage(status = 200): Script {
  return httpResponse(status, '<!doctype html><title>Welcome</title><p>Please sign in.</p>\n', {
    'content-type': 'text/html; charset=utf-8',
  });
}

/** The body of `GET /v1/models`, with these ids. */
export function modelList(...ids: readonly string[]): Script {
  const data = ids.map((id) => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'turnkeep' }));
  return httpResponse(200, { object: 'list', data });
}

/** The reply when nothing is enqueued: `Hello world` in the API of the path, 404 for other paths. */
export function defaultReply({ method, path }: LoggedRequest): Script {
  const name = pathname(path);
  if (method === 'POST' && name.endsWith('/responses')) return responsesAnswer('Hello', ' world');
  if (method === 'POST' && name.endsWith('/chat/completions')) return chatAnswer('Hello', ' world');
  return httpError(404, { error: { message: `no such route: ${method} ${name}`, type: 'invalid_request_error', param: null, code: null } });
}

export function isModelsRequest({ method, path }: LoggedRequest): boolean {
  return method === 'GET' && pathname(path).endsWith('/models');
}

function pathname(path: string): string {
  return path.split('?', 1)[0] ?? path;
}

function halves(args: unknown): readonly string[] {
  const json = JSON.stringify(args);
  const middle = Math.ceil(json.length / 2);
  return [json.slice(0, middle), json.slice(middle)];
}

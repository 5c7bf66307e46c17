/** Whole scripts: the answers that most tests need. */
import * as chat from './chat.ts';
import type { LoggedRequest } from './request-log.ts';
import { ResponsesWriter } from './responses-writer.ts';
import type { Script } from './script.ts';
import { done, end, head, sseHead, text } from './steps.ts';

/** A whole Chat Completions stream that says these pieces. */
export function chatAnswer(...pieces: readonly string[]): Script {
  return [sseHead, chat.role(), ...pieces.map(chat.content), chat.finish(), chat.usage(), done, end];
}

export interface ScriptedCall {
  readonly id: string;
  readonly name: string;
  /** Made JSON and sent in two pieces, as models do. */
  readonly arguments: unknown;
}

/** A whole Chat Completions stream that asks for these tool calls. */
export function chatToolCalls(...calls: readonly ScriptedCall[]): Script {
  const pieces = calls.flatMap(({ id, name, arguments: args }, index) => [
    chat.toolCall(index, { id, name }),
    ...halves(args).map((piece) => chat.toolCall(index, { arguments: piece })),
  ]);
  return [sseHead, chat.role(null), ...pieces, chat.finish('tool_calls'), chat.usage(), done, end];
}

/** A whole Responses stream that says these pieces. */
export function responsesAnswer(...pieces: readonly string[]): Script {
  const say = new ResponsesWriter();
  return [sseHead, ...say.begin(), ...say.text(...pieces), ...say.completed(), end];
}

/** A whole Responses stream that asks for these tool calls. */
export function responsesToolCalls(...calls: readonly ScriptedCall[]): Script {
  const say = new ResponsesWriter();
  const pieces = calls.flatMap((call) => say.functionCall(call.id, call.name, ...halves(call.arguments)));
  return [sseHead, ...say.begin(), ...pieces, ...say.completed(), end];
}

/** An answer with a length: a text as it is, anything else as JSON. */
export function httpResponse(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Script {
  const isText = typeof body === 'string';
  const bytes = Buffer.from(isText ? body : JSON.stringify(body));
  const contentType = { 'content-type': isText ? 'text/plain' : 'application/json' };
  return [head({ status, headers: { ...contentType, ...headers }, framing: { length: bytes.length } }), text(bytes), end];
}

/** An error as OpenAI words it, unless another body is given. `x-should-retry`, `retry-after` and the like are headers. */
export function httpError(status: number, body?: unknown, headers?: Readonly<Record<string, string>>): Script {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return httpResponse(status, body ?? { error: { message: `scripted ${status}`, type, param: null, code: null } }, headers);
}

/** What a captive portal, a proxy or a wrong base URL answers. */
export function htmlPage(status = 200): Script {
  return httpResponse(status, '<!doctype html><title>Welcome</title><p>Please sign in.</p>\n', {
    'content-type': 'text/html; charset=utf-8',
  });
}

export function modelList(...ids: readonly string[]): Script {
  const data = ids.map((id) => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'turnkeep' }));
  return httpResponse(200, { object: 'list', data });
}

/** What the server does when nobody told it anything. */
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

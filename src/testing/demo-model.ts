/**
 * A server in the place of a language model, so that turnkeep can be tried without a key: it streams Chat Completions
 * whose text says that it is no language model.
 */
import {
  chat,
  done,
  end,
  httpResponse,
  type LoggedRequest,
  modelList,
  type Script,
  sseHead,
  startModelServer,
  wait,
} from './model-server/index.ts';

export interface DemoModel {
  /** For `OPENAI_BASE_URL`. The one model is `demo`. */
  readonly baseUrl: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface DemoModelOptions {
  /** 0, the default: any that is free. */
  readonly port?: number;
  /** What it listens on; the loopback address by default. */
  readonly host?: string;
}

const wordMs = 20;
/** About half a minute for the 60 or so words of an answer: time to cancel a turn, or to kill a worker. */
const slowWordMs = 500;
const echoedCharacters = 120;

/**
 * A model server that answers every request by itself, about itself.
 *
 * @example
 *     import { startDemoModel } from 'turnkeep/testing';
 *
 *     const model = await startDemoModel();
 *     console.log(model.baseUrl);
 *     await model.close();
 */
export async function startDemoModel({ port = 0, host = '127.0.0.1' }: DemoModelOptions = {}): Promise<DemoModel> {
  const server = await startModelServer({ port, host, models: modelList('demo'), fallback: scriptFor, keepLog: false });
  return { baseUrl: server.baseUrl, port: server.port, close: () => server.close() };
}

function scriptFor({ method, path, body }: LoggedRequest): Script {
  if (method !== 'POST' || !path.split('?', 1)[0]?.endsWith('/chat/completions')) {
    return badRequest(404, `The demo model knows POST /v1/chat/completions and GET /v1/models, not ${method} ${path}.`);
  }
  const { messages, stream } = isRecord(body) ? body : {};
  if (!Array.isArray(messages)) return badRequest(400, '`messages` must be an array.', 'messages');
  if (stream !== true) return badRequest(400, 'The demo model only streams: send `"stream": true`.', 'stream');
  const userText = textOf(messages.findLast((message) => isRecord(message) && message['role'] === 'user'));
  const isSlow = /\bslow\b/i.test(userText);
  const words = replyTo(userText, messages.length).split(/(?<= )/);
  return [
    sseHead,
    chat.role(),
    ...words.flatMap((word) => [chat.content(word), wait(isSlow ? slowWordMs : wordMs)]),
    chat.finish(),
    // Sent also without `stream_options.include_usage`: every client in use asks for it.
    chat.usage(tokensOf(messages.map(textOf).join(' ')), words.length),
    done,
    end,
  ];
}

function replyTo(userText: string, messageCount: number): string {
  const start = userText.length > echoedCharacters ? `${userText.slice(0, echoedCharacters)}…` : userText;
  const shown = messageCount === 1 ? 'one message' : `${messageCount} messages`;
  return [
    "This is turnkeep's demo model, not a language model: it understands nothing.",
    `Your last message begins: "${start}".`,
    `I was shown ${shown} of this conversation.`,
    'For real answers set OPENAI_BASE_URL and OPENAI_API_KEY to those of your provider and start turnkeep again.',
    'Say "slow" and this same answer takes about half a minute, time enough to stop it or to kill a worker.',
  ].join(' ');
}

function badRequest(status: number, message: string, param: string | null = null): Script {
  return httpResponse(status, { error: { message, type: 'invalid_request_error', param, code: null } });
}

/** The text of a message, whose content is a string or a list of parts. */
function textOf(message: unknown): string {
  const content = isRecord(message) ? message['content'] : undefined;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: unknown) => (isRecord(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('');
}

/** An estimate: English has about four characters a token. */
function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

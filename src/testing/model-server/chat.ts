/**
 * The chunks of a Chat Completions stream, one step each.
 *
 * @example
 *     import { chat, done, end, sseHead } from 'turnkeep/testing';
 *
 *     [sseHead, chat.role(), chat.content('Hel'), chat.content('lo'), chat.finish(), chat.usage(), done, end]
 */
import type { Step } from './script.ts';
import { event } from './steps.ts';

/** The top level of every chunk. Constant, so that tests can compare what a client recorded. */
const envelope = { id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'scripted' } as const;

export interface ToolCallPiece {
  /** OpenAI sends id and name in the first piece of a call only. */
  readonly id?: string;
  readonly name?: string;
  /** A piece of the JSON text. */
  readonly arguments?: string;
}

/** A chunk with these fields in its delta: the general form of the others. */
export function delta(fields: Readonly<Record<string, unknown>>, finishReason: string | null = null): Step {
  return event({ ...envelope, choices: [{ index: 0, delta: fields, finish_reason: finishReason }] });
}

/** OpenAI's first chunk has `content: ''`, llama.cpp's `content: null`. */
export const role = (body: '' | null = ''): Step => delta({ role: 'assistant', content: body });
/** A piece of the text. */
export const content = (body: string): Step => delta({ content: body });
/** `reasoning_content`: OpenAI has no such field, but DeepSeek, vLLM, llama.cpp and others send it. */
export const reasoning = (body: string): Step => delta({ reasoning_content: body });
/** A piece of a refusal. */
export const refusal = (body: string): Step => delta({ refusal: body });
/** A chunk with an empty delta: it starts no step. */
export const empty = (): Step => delta({});

/** A piece of the tool call with this index. */
export function toolCall(index: number, { id, name, arguments: piece = '' }: ToolCallPiece): Step {
  const call = {
    index,
    ...(id === undefined ? {} : { id, type: 'function' }),
    function: { ...(name === undefined ? {} : { name }), arguments: piece },
  };
  return delta({ tool_calls: [call] });
}

/** The finish reason: `stop`, `length`, `tool_calls`, `content_filter`, or one that no client knows. */
export const finish = (reason = 'stop'): Step => delta({}, reason);

/** The chunk without choices that reports the tokens. */
export function usage(promptTokens = 3, completionTokens = 2): Step {
  return event({
    ...envelope,
    choices: [],
    usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
  });
}

/** An error within the stream, after a 200. */
export function error(
  message: string,
  { type = 'server_error', code = null }: { readonly type?: string; readonly code?: string | number | null } = {},
): Step {
  return event({ error: { message, type, param: null, code } });
}

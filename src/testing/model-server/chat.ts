/** Chunks of OpenAI's Chat Completions stream, one step each. */
import { event } from './steps.ts';
import type { Step } from './script.ts';

/** The top level of every chunk. Fixed, so that what a client recorded can be compared. */
const frame = { id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'scripted' } as const;

export interface ToolCallPiece {
  /** OpenAI sends id and name in the first piece of a call only. */
  readonly id?: string;
  readonly name?: string;
  /** A piece of the JSON text. */
  readonly arguments?: string;
}

/** Any chunk: what the others are made of. */
export function delta(fields: Readonly<Record<string, unknown>>, finishReason: string | null = null): Step {
  return event({ ...frame, choices: [{ index: 0, delta: fields, finish_reason: finishReason }] });
}

/** OpenAI's first chunk has `content: ''`, llama.cpp's `content: null`. */
export const role = (body: '' | null = ''): Step => delta({ role: 'assistant', content: body });
export const content = (body: string): Step => delta({ content: body });
/** Not OpenAI's, but what DeepSeek, vLLM, llama.cpp and others send. */
export const reasoning = (body: string): Step => delta({ reasoning_content: body });
export const refusal = (body: string): Step => delta({ refusal: body });
export const empty = (): Step => delta({});

export function toolCall(index: number, { id, name, arguments: piece = '' }: ToolCallPiece): Step {
  const call = {
    index,
    ...(id === undefined ? {} : { id, type: 'function' }),
    function: { ...(name === undefined ? {} : { name }), arguments: piece },
  };
  return delta({ tool_calls: [call] });
}

/** `stop`, `length`, `tool_calls`, `content_filter`, or a word nobody has heard of. */
export const finish = (reason = 'stop'): Step => delta({}, reason);

export function usage(promptTokens = 3, completionTokens = 2): Step {
  return event({
    ...frame,
    choices: [],
    usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
  });
}

/** An error in mid-stream, after a 200. */
export function error(
  message: string,
  { type = 'server_error', code = null }: { readonly type?: string; readonly code?: string | number | null } = {},
): Step {
  return event({ error: { message, type, param: null, code } });
}

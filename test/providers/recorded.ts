/** Two recorded streams, one for each API: role or `created` first, comments, reasoning, characters of several bytes, usage. */
import type { Api } from './support.ts';

export interface Recorded {
  /** As sent, with `\n` as the end of each line. */
  readonly text: string;
  /** All of its deltas: reasoning, then text. */
  readonly deltas: string;
  /** How many bytes there are up to the end of the event that holds the finish. */
  readonly finishAt: number;
}

const chunk = (delta: unknown, finishReason: string | null = null): string =>
  `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finishReason }] })}\n\n`;
const named = (type: string, fields: unknown): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...(fields as object) })}\n\n`;

const chatHead = [
  ': keep-alive\n\n',
  chunk({ role: 'assistant', content: null }),
  chunk({ reasoning_content: 'hm — ' }),
  chunk({ content: 'Grüße, ' }),
  ': still here\n\n',
  chunk({ content: '世界 🌍' }),
  chunk({}, 'stop'),
].join('');
const chatTail = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } })}\n\ndata: [DONE]\n\n`;

const output = [{ type: 'message', content: [{ type: 'output_text', text: 'Grüße, 世界 🌍' }] }];
const responsesAll = [
  named('response.created', { response: { id: 'r', status: 'in_progress' } }),
  named('response.reasoning_text.delta', { delta: 'hm — ' }),
  named('response.output_text.delta', { item_id: 'm', delta: 'Grüße, ' }),
  ': still here\n\n',
  named('response.output_text.delta', { item_id: 'm', delta: '世界 🌍' }),
  named('response.completed', { response: { status: 'completed', output, usage: { input_tokens: 3, output_tokens: 2 } } }),
].join('');

const bytesIn = (text: string): number => Buffer.byteLength(text);

export const recorded: Readonly<Record<Api, Recorded>> = {
  chat: { text: chatHead + chatTail, deltas: 'hm — Grüße, 世界 🌍', finishAt: bytesIn(chatHead) },
  responses: { text: `${responsesAll}data: [DONE]\n\n`, deltas: 'hm — Grüße, 世界 🌍', finishAt: bytesIn(responsesAll) },
};

/** Two recorded streams, one an API: role or `created` first, comments, reasoning, text of several bytes a character, usage. */
import type { Api } from './support.ts';

export interface Recorded {
  /** As sent, with `\n` for the ends of lines. */
  readonly text: string;
  /** What it says, reasoning first. */
  readonly says: string;
  /** Up to here the proof has not arrived whole. */
  readonly proofAt: number;
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
  chat: { text: chatHead + chatTail, says: 'hm — Grüße, 世界 🌍', proofAt: bytesIn(chatHead) },
  responses: { text: `${responsesAll}data: [DONE]\n\n`, says: 'hm — Grüße, 世界 🌍', proofAt: bytesIn(responsesAll) },
};

/** One turn of a stock client, timed: from its call to its first piece of text, and to its end. */
import type OpenAI from 'openai';
import { clockMs } from './clock.ts';

export interface Took {
  readonly firstMs: number;
  readonly endMs: number;
}

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** @param conversation null: none */
export async function timeTurn(client: OpenAI, input: string, conversation: string | null): Promise<Took> {
  const startedAt = clockMs();
  let firstAt = Number.NaN;
  for await (const event of await client.responses.create({ model: 'scripted', input, stream: true, conversation })) {
    if (event.type === 'response.output_text.delta' && Number.isNaN(firstAt)) firstAt = clockMs();
  }
  return { firstMs: firstAt - startedAt, endMs: clockMs() - startedAt };
}

/** The same of the model itself: the talk is kept by the caller. */
export async function timeDirectTurn(client: OpenAI, input: string, messages: Message[]): Promise<Took> {
  messages.push({ role: 'user', content: input });
  const startedAt = clockMs();
  let firstAt = Number.NaN;
  let text = '';
  for await (const chunk of await client.chat.completions.create({ model: 'scripted', stream: true, messages })) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    if (piece !== '' && Number.isNaN(firstAt)) firstAt = clockMs();
    text += piece;
  }
  messages.push({ role: 'assistant', content: text });
  return { firstMs: firstAt - startedAt, endMs: clockMs() - startedAt };
}

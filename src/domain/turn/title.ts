/** The title of a session: what the model is asked, and what is made of its answer. Pure. */
import { type Item, textOf } from '../item.ts';
import type { ModelRequest } from '../model.ts';
import { defaultSettings } from '../response/response-settings.ts';

const longestQuestion = 2_000;
const longestTitle = 80;

const instructions =
  'Write a title for the conversation that begins with the following message: at most six words, in the language of the message, without quotation marks and without a full stop. Answer with the title alone.';

/** undefined when the turn has no words to make a title of. */
export function titleRequest(input: readonly Item[], model: string): ModelRequest | undefined {
  const words = input
    .flatMap((item) => (item.type === 'message' && item.role === 'user' ? [textOf(item)] : []))
    .join('\n')
    .trim();
  if (words === '') return undefined;
  return {
    settings: { ...defaultSettings(model), instructions, max_output_tokens: 512, store: false },
    items: [
      {
        id: '',
        type: 'message',
        status: 'completed',
        role: 'user',
        content: [{ type: 'input_text', text: words.slice(0, longestQuestion) }],
      },
    ],
  };
}

/** One line, without what models like to put around it; undefined when nothing is left. */
export function titleOf(answer: string): string | undefined {
  const [line = ''] = answer.trim().split('\n');
  const title = line.replace(/^(?:#+\s*|title:\s*)/i, '').replaceAll(/^[\s"'“”„«»*_]+|[\s"'“”„«»*_.]+$/g, '');
  if (title === '') return undefined;
  const characters = Array.from(title);
  return characters.length <= longestTitle
    ? title
    : `${characters
        .slice(0, longestTitle - 1)
        .join('')
        .trimEnd()}…`;
}

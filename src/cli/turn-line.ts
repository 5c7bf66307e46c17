/** The end of a turn as one line for a person who watches `turnkeep dev`. */
import { styleText } from 'node:util';
import type { EndedTurn } from '../metrics/observed-store.ts';

const marks: { readonly [status: string]: readonly [mark: string, colour: 'green' | 'red' | 'yellow'] } = {
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
};

/** @param stream decides whether there are colours: a terminal has some, unless NO_COLOR says otherwise */
export function turnLine(turn: EndedTurn, stream: NodeJS.WritableStream): string {
  const [mark, colour] = marks[turn.status] ?? ['–', 'yellow'];
  const styled = (style: Parameters<typeof styleText>[0], text: string): string => styleText(style, text, { stream });
  const facts = [
    turn.model,
    secondsOf(turn.durationMs),
    ...(turn.tokens === null ? [] : [`${turn.tokens} tokens`]),
    ...(turn.requests > 1 ? [`${turn.requests} requests`] : []),
    ...(turn.tenant === 'default' ? [] : [turn.tenant]),
  ];
  const why = turn.code === null ? turn.status : `${turn.status}: ${turn.code}${turn.detail === undefined ? '' : ` (${turn.detail})`}`;
  return `${styled(colour, `${mark} ${why}`)}  ${facts.join(', ')}  ${styled('dim', turn.responseId)}`;
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

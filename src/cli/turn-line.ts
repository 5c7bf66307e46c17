/** A turn as one line for a person: in the terminal of `turnkeep dev`, and in a list. */
import { stripVTControlCharacters, styleText } from 'node:util';
import type { EndedTurn } from '../metrics/observed-store.ts';
import { printable } from './chat/screen.ts';

export interface ShownTurn {
  readonly status: string;
  readonly code: string | null;
  /** See `EndedTurn`. */
  readonly detail?: string;
  /** null: it is not known any more. */
  readonly model: string | null;
  /** From its acceptance to its end, or to now. */
  readonly durationMs: number;
  readonly tokens: number | null;
  readonly requests: number;
  /** Who asked, where that is to be told. */
  readonly tenant?: string;
}

type Style = Parameters<typeof styleText>[0];

const marks: { readonly [status: string]: readonly [mark: string, style: Style] } = {
  completed: ['✓', 'green'],
  failed: ['✗', 'red'],
  queued: ['…', 'dim'],
  in_progress: ['…', 'cyan'],
};

/** How it ended and why, with which model, how long it took and what it cost. @param stream decides whether there are colours: a terminal has some, unless NO_COLOR says otherwise */
export function turnWords({ status, code, detail, model, ...turn }: ShownTurn, stream: NodeJS.WritableStream): string {
  const [mark, style] = marks[status] ?? ['–', 'yellow'];
  const facts = [
    // Clients choose it.
    ...(model === null ? [] : [printable(model)]),
    secondsOf(turn.durationMs),
    ...(turn.tokens === null ? [] : [`${turn.tokens} tokens`]),
    ...(turn.requests > 1 ? [`${turn.requests} requests`] : []),
    ...(turn.tenant === undefined ? [] : [turn.tenant]),
  ];
  const why = code === null ? status : `${status}: ${code}${detail === undefined ? '' : ` (${detail})`}`;
  return `${styleText(style, `${mark} ${why}`, { stream })}  ${facts.join(', ')}`;
}

/** The end of a turn, for a person who watches `turnkeep dev`. The id, which is long, has a line of its own where one is too short for both. */
export function turnLine(
  { tenant, responseId, ...turn }: EndedTurn,
  stream: NodeJS.WritableStream & { readonly columns?: number },
): string {
  const words = turnWords({ ...turn, ...(tenant === 'default' ? {} : { tenant }) }, stream);
  const isLong = stripVTControlCharacters(words).length + 2 + responseId.length > (stream.columns ?? Number.POSITIVE_INFINITY);
  return `${words}${isLong ? '\n  ' : '  '}${styleText('dim', responseId, { stream })}`;
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

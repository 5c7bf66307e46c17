/** A turn as one line for a person: in the terminal of `turnkeep dev`, and in a list. */
import { stripVTControlCharacters, styleText } from 'node:util';
import type { WebhookReport } from '../domain/turn/webhook.ts';
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
type Terminal = NodeJS.WritableStream & { readonly columns?: number };

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
export function turnLine({ tenant, responseId, ...turn }: EndedTurn, stream: Terminal): string {
  return withId(turnWords({ ...turn, ...(tenant === 'default' ? {} : { tenant }) }, stream), responseId, stream);
}

function withId(words: string, id: string, stream: Terminal): string {
  const isLong = stripVTControlCharacters(words).length + 2 + id.length > (stream.columns ?? Number.POSITIVE_INFINITY);
  return `${words}${isLong ? '\n  ' : '  '}${styleText('dim', id, { stream })}`;
}

/** How the delivery of an event stands, likewise. */
export function webhookLine({ event, status, attempts, error = '', waitMs, responseId }: WebhookReport, stream: Terminal): string {
  const isDelivered = status === 'delivered';
  const what = isDelivered ? `webhook ${event} delivered` : `webhook ${event} not delivered: ${error}`;
  const next = isDelivered ? '' : waitMs === undefined ? ', and it is not sent again' : `, again in ${secondsOf(waitMs)}`;
  const [mark, style] = marks[isDelivered ? 'completed' : 'failed'] ?? ['', 'red'];
  const tries = attempts > 1 ? `  request ${attempts}` : '';
  return withId(`${styleText(style, `${mark} ${what}${next}`, { stream })}${tries}`, responseId, stream);
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

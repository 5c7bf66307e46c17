/** How amounts, times and states are written. */
import type { ReactNode } from 'react';
import type { Session, TurnStatus } from '../api/types.ts';

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

export function between(from: string, until: string | null | undefined, nowMs = Date.now()): number {
  return Math.max(0, (until == null ? nowMs : Date.parse(until)) - Date.parse(from));
}

export function ago(ms: number): string {
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 60) return 'just now';
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const moment = (iso: string): string => clock.format(new Date(iso));

const whole = new Intl.NumberFormat('en');
export const count = (value: number): string => whole.format(value);

const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumSignificantDigits: 3 });
export const dollars = (value: number): string => money.format(value);

export const plural = (value: number, one: string): string => `${count(value)} ${one}${value === 1 ? '' : 's'}`;
export const tokens = (value: number): string => plural(value, 'token');

export const statusWords: Readonly<Record<TurnStatus, string>> = {
  queued: 'waiting',
  in_progress: 'running',
  completed: 'completed',
  incomplete: 'incomplete',
  cancelled: 'stopped',
  failed: 'failed',
};

/** A turn's status as a word behind a mark of its colour. */
export function StatusMark({ status, code }: { readonly status: TurnStatus; readonly code?: string | null | undefined }): ReactNode {
  return (
    <span className={`status ${status}`}>
      <span className="dot" aria-hidden="true" />
      {statusWords[status]}
      {code == null ? null : <code>{code}</code>}
    </span>
  );
}

/** By what a person tells a session. */
export function titleOf({ metadata, preview }: Session): string {
  return oneLine(metadata['title'] ?? '') || oneLine(preview ?? '') || 'Session without words';
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/**
 * With control characters, and those that are not seen or turn the order of others around, as JSON writes them: with them, a
 * model could show a person something else than what is called.
 */
export function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Default_Ignorable_Code_Point}|[\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

/** JSON with its lines broken; what is no JSON as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

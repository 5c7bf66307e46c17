/** A chat that cannot begin, said plainly with the fix. */
import type { CallFailure } from './call-failure.ts';

export class ChatError extends Error {
  override readonly name = 'ChatError';
}

export function troubleWith(url: string, failure: CallFailure): string {
  if (failure.type === 'unreachable') {
    return `No turnkeep gateway answers at ${url} (${failure.detail}). Start one with \`turnkeep dev\` (in a checkout: npm start), or name another with --url or TURNKEEP_URL.`;
  }
  const { status, code, message } = failure;
  if (status === 401 || status === 403) {
    return `The gateway at ${url} does not let this key in (${status}): set TURNKEEP_API_KEY to one of the secrets of its TURNKEEP_API_KEYS.`;
  }
  return `The gateway at ${url} answered ${status}: ${code === undefined ? '' : `${code}: `}${message}`;
}

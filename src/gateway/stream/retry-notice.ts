/** The comment that tells the viewers of a turn about its retries. One query serves all viewers of a turn. */
import type { AttemptRow } from '../../domain/turn/attempt.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';

/** A notice that is asked for again within this time is not looked up again. */
const freshMs = 250;

const fresh = new WeakMap<Turnkeep, Map<string, Promise<string | undefined>>>();

/** `retry 2 of 3 in 1000 ms: transport_failed`, while the last request has failed and another is due. */
export function retryNotice(turnkeep: Turnkeep, turn: string): Promise<string | undefined> {
  const notices = fresh.get(turnkeep) ?? new Map<string, Promise<string | undefined>>();
  fresh.set(turnkeep, notices);
  let notice = notices.get(turn);
  if (notice === undefined) {
    notice = turnkeep.readAttempts(turn).then(noticeOf);
    notices.set(turn, notice);
    setTimeout(() => notices.delete(turn), freshMs).unref();
  }
  return notice;
}

function noticeOf(attempts: readonly AttemptRow[]): string | undefined {
  const last = attempts.at(-1);
  if (last?.waitMs === undefined) return undefined;
  return `retry ${last.attempt + 1} of 3 in ${last.waitMs} ms: ${last.code ?? last.outcome ?? ''}`;
}

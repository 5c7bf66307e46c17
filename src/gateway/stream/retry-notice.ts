/** What the viewers of a turn are told of its retries, in a comment (contract.md): looked up once for all of them. */
import type { AttemptRow } from '../../domain/attempt.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';

/** Those who ask within this time share an answer. */
const freshMs = 250;

const answers = new WeakMap<Turnkeep, Map<string, Promise<string | undefined>>>();

/** `retry 2 of 3 in 1000 ms: transport_failed`, while the last request has failed and another is due. */
export function retryNotice(turnkeep: Turnkeep, turn: string): Promise<string | undefined> {
  const fresh = answers.get(turnkeep) ?? new Map<string, Promise<string | undefined>>();
  answers.set(turnkeep, fresh);
  let answer = fresh.get(turn);
  if (answer === undefined) {
    answer = turnkeep.readAttempts(turn).then(noticeOf);
    fresh.set(turn, answer);
    setTimeout(() => fresh.delete(turn), freshMs).unref();
  }
  return answer;
}

function noticeOf(attempts: readonly AttemptRow[]): string | undefined {
  const last = attempts.at(-1);
  if (last?.waitMs === undefined) return undefined;
  return `retry ${last.attempt + 1} of 3 in ${last.waitMs} ms: ${last.code ?? last.outcome ?? ''}`;
}

import type { KeptAttempt } from '../../../src/domain/turn/claim.ts';
import type { StoredTurn } from './database.ts';

export function keptOf(turn: StoredTurn, step: number): KeptAttempt | undefined {
  const open = turn.attempts.findLast(
    (attempt) => attempt.step === step && attempt.endedAtMs === undefined && attempt.keptResponse !== undefined,
  );
  return open?.keptResponse && { attempt: open.attempt, response: open.keptResponse };
}

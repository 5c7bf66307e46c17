/** The line of a turn's end in the log: a failure is a warning, so that it is seen at every level that operators use. */
import type { Logger } from 'pino';
import type { EndedTurn } from '../metrics/observed-store.ts';

export function logTurnEnd(log: Logger): (turn: EndedTurn) => void {
  return (turn) => {
    log[turn.status === 'failed' ? 'warn' : 'info'](turn, 'turn ended');
  };
}

/** What Ctrl-C means. Once stops the turn, twice leaves, as long as nothing is typed in between. */

export interface Moment {
  readonly isTurnRunning: boolean;
  /** It was pressed before, and nothing was sent since. */
  readonly isSecond: boolean;
  /** Somebody can be told that a second one leaves. */
  readonly isTerminal: boolean;
  readonly hasTyped: boolean;
}

export type Meaning = 'stop_turn' | 'clear_line' | 'warn' | 'leave';

export function meaningOfInterrupt({ isTurnRunning, isSecond, isTerminal, hasTyped }: Moment): Meaning {
  if (isTurnRunning) return isSecond ? 'leave' : 'stop_turn';
  if (!isTerminal) return 'leave';
  if (hasTyped) return 'clear_line';
  return isSecond ? 'leave' : 'warn';
}

/** Hands an answer that its provider keeps to another process: its attempt goes on there. */
import { failureOf } from '../../domain/failure.ts';
import { settleTurn } from '../../settle/settle-turn.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted } from './abort-reason.ts';
import type { AttemptResult } from './attempt-result.ts';
import type { AttemptState } from './attempt-state.ts';

/** Is the attempt over here, and gone on with elsewhere? */
export function isPassedOn({ keptAnswer }: AttemptState, signal: AbortSignal): boolean {
  return keptAnswer?.isBooked === true && signal.reason instanceof AttemptAborted && signal.reason.reason === 'shutdown';
}

/** This process goes: another one reads the answer on. An accepted cancel ends the turn here, for nobody would for a while (T5). */
export async function passOn({ store, writer, key, epoch, onReady }: AttemptState): Promise<AttemptResult> {
  // Without the end of its recording it goes on all the same.
  await writer.keepRecording().catch(() => undefined);
  await retryWhileBusy(() => store.passOn({ ...key, epoch }));
  const turn = await retryWhileBusy(() => store.readTurn(key.turn));
  if (turn?.cancelRequestedAtMs == null) {
    return { type: 'failed', failure: failureOf('worker_lost'), requestsMade: 0, mayRetry: true, retryDelayMs: 1 };
  }
  const settled = await retryWhileBusy(() => settleTurn({ store, onReady }, key.turn, { status: 'cancelled' }));
  return { type: 'ended', step: { type: 'final', turn: settled } };
}

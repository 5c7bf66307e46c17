/** Checks that run beside each other, each for so long at the most. */
import type { Finding } from '../../store/ports/diagnosis.ts';
import { inTime } from '../../client/patience.ts';

export interface Check {
  /** What it is about, where it cannot say so itself. */
  readonly name: string;
  readonly look: () => Promise<readonly Finding[]>;
}

/**
 * All at once; the findings of each are there as soon as those before them are, in the order of the checks. A check that throws,
 * or takes longer than it may, is a fault.
 */
export async function* findingsOf(checks: readonly Check[], withinMs: number): AsyncGenerator<Finding> {
  const running = checks.map(async ({ name, look }): Promise<readonly Finding[]> => {
    try {
      return await inTime(look(), withinMs);
    } catch (error) {
      const seen = error instanceof Error ? error.message : String(error);
      return [{ check: name, status: 'fault', seen, mend: 'look at what it is about by hand: this is not an answer that doctor knows' }];
    }
  });
  for (const findings of running) yield* await findings;
}

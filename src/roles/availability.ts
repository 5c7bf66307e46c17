/**
 * Tells once that Temporal or the database is away, and once that it is back. What fails meanwhile is tried again by whoever
 * tried it, and says nothing: a line a try would hide the one that matters.
 */
import { isGrpcServiceError } from '@temporalio/client';
import { inTime } from '../client/patience.ts';
import { StoreBusyError } from '../store/ports/store.ts';

/** gRPC's numbers of DEADLINE_EXCEEDED and UNAVAILABLE. */
const awayCodes: ReadonlySet<number> = new Set([4, 14]);
const patienceMs = 2_000;
/** Of looks in a row that fail: one alone may be a restart, or a long checkpoint. */
const looksUntilAway = 2;

export interface Dependency {
  /** As the subject of a sentence, such as `Temporal at 127.0.0.1:7233`. */
  readonly name: string;
  /** What becomes of the turns meanwhile, as a sentence. */
  readonly meanwhile: string;
  readonly lookEveryMs: number;
  /** Rejects, with the reason, when it is away. */
  readonly look: () => Promise<unknown>;
}

export interface AvailabilityOptions {
  readonly dependencies: readonly Dependency[];
  /** `reason`: why it is away. */
  readonly onChange: (sentence: string, reason?: string) => void;
}

/** @returns how to stop looking */
export function watchAvailability({ dependencies, onChange }: AvailabilityOptions): () => void {
  const stops = dependencies.map((dependency) => watch(dependency, onChange));
  return () => {
    for (const stop of stops) stop();
  };
}

function watch({ name, meanwhile, lookEveryMs, look }: Dependency, onChange: AvailabilityOptions['onChange']): () => void {
  let failures = 0;
  let seenAt = performance.now();
  let isLooking = false;
  let isStopped = false;
  const succeeded = (): void => {
    if (failures >= looksUntilAway) onChange(`${name} is back after ${Math.round((performance.now() - seenAt) / 1_000)} s`);
    failures = 0;
    seenAt = performance.now();
  };
  const failed = (error: unknown): void => {
    failures += 1;
    if (failures === looksUntilAway) onChange(`${name} is away: ${meanwhile}`, error instanceof Error ? error.message : String(error));
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    inTime(look(), patienceMs)
      .then(
        () => isStopped || succeeded(),
        (error: unknown) => isStopped || failed(error),
      )
      .finally(() => {
        isLooking = false;
      });
  }, lookEveryMs).unref();
  return () => {
    isStopped = true;
    clearInterval(timer);
  };
}

/** Is this what every call comes to while Temporal or the database is away? */
export function isAway(error: unknown): boolean {
  if (error instanceof StoreBusyError) return true;
  return isGrpcServiceError(error) && awayCodes.has(error.code);
}

/** Who followed a turn, in its report: by number, in the order in which they came. Pure. */
import { iso } from './timeline-text.ts';
import type { ViewerRow } from './viewer.ts';

export function viewerReports(viewers: readonly ViewerRow[]): readonly object[] {
  return viewers.map(({ protocol, openedAtMs, fromSeq, lastSeq, lastAtMs, closedAtMs, end }, index) => ({
    viewer: index + 1,
    protocol,
    opened_at: iso(openedAtMs),
    from_event: fromSeq,
    last_event: lastSeq < fromSeq ? null : lastSeq,
    ...(lastAtMs === undefined ? {} : { last_at: iso(lastAtMs) }),
    ...(closedAtMs === undefined ? {} : { closed_at: iso(closedAtMs) }),
    end: end ?? 'open',
  }));
}

/**
 * What those had seen who were there when the journal broke off. A viewer gets an event as soon as it is in the journal, so one that has
 * gone further since had come to the break; how far it came at its end is what is noted of it.
 * @param lastSeq the last event before the break
 */
export function seenAtBreak(
  viewers: readonly ViewerRow[],
  { atMs, lastSeq }: { readonly atMs: number; readonly lastSeq: number },
): object[] {
  return viewers.flatMap(({ openedAtMs, closedAtMs, fromSeq, lastSeq: last }, index) => {
    if (openedAtMs > atMs || (closedAtMs !== undefined && closedAtMs < atMs)) return [];
    const saw = Math.min(last, lastSeq);
    return [{ viewer: index + 1, from_event: fromSeq, last_event: saw < fromSeq ? null : saw }];
  });
}

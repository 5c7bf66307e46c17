/** What became of a tenant's turns, added up over as many pages of the database as that takes, up to a bound. */
import { endsBehind, type TurnFilter } from '../domain/turn/turn-list.ts';
import { TurnTally } from '../domain/turn/turn-stats.ts';
import type { Store } from '../store/ports/store.ts';

/** Turns and requests that one question looks at: about a second of a processor, in slices. */
const maxRows = 200_000;

/**
 * In the form of `GET /stats`, times in ISO 8601. `complete` is false where there are more turns than are looked at: then
 * `since` is the moment from which on all are counted. Turns that were deleted, or were not to be stored, are not.
 */
export async function readTurnStats(store: Pick<Store, 'readCounted'>, tenant: string, filter: TurnFilter): Promise<object> {
  const tally = new TurnTally();
  let [rows, sinceMs, isComplete] = [0, filter.sinceMs, false];
  for (let before: number | undefined; rows < maxRows;) {
    const page = await store.readCounted(tenant, { filter, ...(before === undefined ? {} : { before }) });
    for (const turn of page.turns) tally.add(turn);
    rows += page.rows;
    if (page.last === undefined || endsBehind(page.last.createdAtMs, filter)) {
      isComplete = true;
      break;
    }
    before = page.last.ordinal;
    sinceMs = Math.max(page.last.createdAtMs, filter.sinceMs ?? 0);
  }
  const from = isComplete ? filter.sinceMs : sinceMs;
  return { object: 'turn_stats', since: iso(from), until: iso(filter.untilMs), complete: isComplete, ...tally.report() };
}

function iso(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** A Temporal dev server for the corpus, which wants histories to be begun anew early: so many events would be megabytes. */
import { startTunedServer } from '../support/tuned-server.ts';

/** Of events: more than any kind has but the one that is about this. */
const suggestedAt = 100;

/** The worlds and clusters of this process are on it from then on. */
export async function startCorpusServer(): Promise<() => void> {
  const { address, stop } = await startTunedServer({ 'limit.historyCount.suggestContinueAsNew': suggestedAt });
  process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'] = address;
  process.env['TURNKEEP_TEST_TEMPORAL_NAMESPACE'] = 'default';
  return stop;
}

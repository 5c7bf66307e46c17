/** What of a turn its recording has, and what it lacks. Pure. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import { decodeRecordings, type RecordedRun } from '../../store/recordings/decode.ts';
import type { Bundle } from '../bundle.ts';

/** Why the turn cannot be run again, in words for a person; undefined: it can. */
export function whatIsMissing(bundle: Bundle): string | undefined {
  const { turn, journal, attempts, recordings, redacted } = bundle;
  if (turn.kind === 'items') return 'it was put in by hand: no model was asked';
  if (turn.settled_at_ms === null) return 'it has no end yet: wait for that, or cancel it';
  if (journal.length === 0) return 'its journal is gone: past retention, or deleted';
  if (redacted) return 'it was exported with --redact: what the provider sent was left out. Export it without';
  if (bundle.recordings_left_out !== undefined) return 'its recording was left out of the file, for its length';
  let runs: readonly RecordedRun[];
  try {
    runs = decodeRecordings(recordings.map(({ data, ...part }) => ({ ...part, data: Buffer.from(data, 'base64') })));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const lacking = attempts.find(
    ({ step, attempt, outcome, first_event_at_ms: started }) =>
      (outcome !== 'lost' || started !== undefined) && !runs.some((run) => run.step === step && run.attempt === attempt),
  );
  if (lacking !== undefined) {
    return `attempt ${lacking.attempt} of step ${lacking.step} was not recorded: TURNKEEP_RECORD was off, or it is of an earlier version`;
  }
  const cut = runs.find(({ entries }) => entries.some(({ type }) => type === 'cut'));
  if (cut !== undefined) return `the recording of attempt ${cut.attempt} of step ${cut.step} was cut: it had grown past its limit`;
  return undefined;
}

/**
 * The rows that the process of a run has written behind what is recorded of it.
 * @param from the row behind those that the run has brought again
 */
export function uncoveredRows({ journal }: Bundle, runs: readonly RecordedRun[], run: RecordedRun, from: number): readonly JournalRow[] {
  const next = runs.find(({ epoch }) => epoch > run.epoch)?.entries.find((entry) => entry.type === 'begin');
  const to = next === undefined ? endOfAnswer(journal) : next.next_seq;
  return journal.slice(from, to);
}

/** Behind it stands what closes a turn whose process is lost. */
function endOfAnswer(journal: readonly JournalRow[]): number {
  return journal.findLastIndex(({ type }) => type.endsWith('.delta') || type.endsWith('.added')) + 1;
}

/** The port to what is recorded of attempts, for those who run a turn again. */
import type { RecordingPart } from '../../domain/turn/recording.ts';

/** What comes along with a write. */
export interface Recorded {
  /** What has been recorded since the last one. */
  readonly recording?: readonly RecordingPart[];
}

/**
 * **Contract**, besides that of `Store`. Parts come with the writes that they belong to (`Append.recording`,
 * `AttemptEnd.recording`), in the same commit, and are refused with them. They are dropped with the journal.
 */
export interface RecordingStore {
  /** All that is kept of a turn's runs, by epoch and part; empty where nothing was recorded, or it is gone. */
  readRecordings(turn: string): Promise<readonly RecordingPart[]>;
}

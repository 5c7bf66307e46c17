/** The port to what is recorded of attempts, for those who run a turn again. */
import type { RecordingPart } from '../../domain/turn/recording.ts';

/** What comes along with a write. */
export interface Recorded {
  /** What has been recorded since the last one. */
  readonly recording?: readonly RecordingPart[];
}

/** Parts behind one, `limit` at the most; all, where nothing is said. */
export interface RecordingPage {
  readonly after?: Pick<RecordingPart, 'epoch' | 'part'> | undefined;
  readonly limit: number;
}

/**
 * **Contract**, besides that of `Store`. Parts come with the writes that they belong to (`Append.recording`,
 * `AttemptEnd.recording`), in the same commit, and are refused with them. They are dropped with the journal.
 */
export interface RecordingStore {
  /** What is kept of a turn's runs, by epoch and part; empty where nothing was recorded, or it is gone. A part may have 64 KiB. */
  readRecordings(turn: string, page?: RecordingPage): Promise<readonly RecordingPart[]>;
}

/** A session (OpenAI's conversation): a named pointer to a turn, the leaf of its branch of the tree. Times are milliseconds since the epoch. */

export interface NewSession {
  readonly id: string;
  readonly tenant: string;
  readonly metadata: { readonly [key: string]: string };
  readonly createdAtMs: number;
}

/** A session that begins with the past of another: what led to a turn of that, and the turn itself. */
export interface NewBranch extends NewSession {
  /** The turn's own id; null: it begins with nothing. */
  readonly leaf: string | null;
}

export interface SessionRow extends NewSession {
  /** The turn it points to: its newest. */
  readonly leaf: string | null;
}

/** As it stands in a list of sessions. */
export interface ListedSession extends SessionRow {
  /** What a user interface calls it, where it is its chat. */
  readonly name: string | null;
  /** Of its latest turn or item, or of its beginning. */
  readonly usedAtMs: number;
  /** The beginning of what its first turn says; null without one, or where that was deleted. */
  readonly firstWords: string | null;
}

/** Of the words that a list shows. */
export const firstWordsChars = 100;

/** A session (OpenAI's conversation): a named pointer to a turn, the leaf of its branch of the tree. Times are milliseconds since the epoch. */

export interface NewSession {
  readonly id: string;
  readonly tenant: string;
  readonly metadata: { readonly [key: string]: string };
  readonly createdAtMs: number;
}

export interface SessionRow extends NewSession {
  /** The turn it points to: its newest. */
  readonly leaf: string | null;
}

/** Who followed a turn, and how far. Times are milliseconds since the epoch. */

/** `sse`: the events of the Responses API; `chat_completions`, `ai_sdk`: those of other protocols; `json`: one body at the end. */
export const viewerProtocols = ['sse', 'websocket', 'chat_completions', 'ai_sdk', 'json'] as const;

export type ViewerProtocol = (typeof viewerProtocols)[number];

/**
 * `saw_end`: the system took all of it. `left`: the client closed the connection before; `reset`: it broke. `cut`: the gateway let go
 * of it, since it took nothing, or since the gateway stopped.
 */
export const viewerEnds = ['saw_end', 'left', 'reset', 'cut'] as const;

export type ViewerEnd = (typeof viewerEnds)[number];

export interface ViewerRow {
  readonly turn: string;
  /** Unique among all viewers. */
  readonly id: string;
  readonly protocol: ViewerProtocol;
  readonly openedAtMs: number;
  /** The first event that it asked for. */
  readonly fromSeq: number;
  /** The last event that the system took for it; `fromSeq - 1` before the first one. */
  readonly lastSeq: number;
  /** When that was. */
  readonly lastAtMs?: number;
  readonly closedAtMs?: number;
  /** Absent: it is still there, or its gateway has died. */
  readonly end?: ViewerEnd;
}

/** Of each turn, those that came last. */
export const mostViewers = 100;

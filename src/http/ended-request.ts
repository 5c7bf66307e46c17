/** What the log and the metrics get of a request once its response is over: facts and ids, never content (T11). */
export interface EndedRequest {
  readonly requestId: string;
  readonly method: string;
  /** As it is described, such as `/v1/responses/:id`, also without `/v1` and with a wrong method; `unmatched` where there is none. */
  readonly route: string;
  /** 499: the client went before it had a response. */
  readonly status: number;
  readonly durationMs: number;
  /** The response was a stream of events: its duration is that of a turn. */
  readonly isStream: boolean;
  /** The response did not reach its end: the client went, or was cut off. */
  readonly isCut: boolean;
  readonly tenant?: string;
  /** Of the database's keys, by which it came: the part that may be shown. */
  readonly keyId?: string;
  readonly responseId?: string;
  readonly conversationId?: string;
  /** The client's own trace (W3C Trace Context), as it named it. */
  readonly traceparent?: string;
}

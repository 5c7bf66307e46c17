/** What is recorded of an HTTP request once its answer is over, for the log and the metrics: facts and ids, never content (T11). */
export interface EndedRequest {
  readonly requestId: string;
  readonly method: string;
  /** As it is registered, such as `/v1/responses/:id`; `unmatched` where there is none. */
  readonly route: string;
  /** 499: the client was gone before it was answered. */
  readonly status: number;
  readonly durationMs: number;
  /** The answer did not reach its end: the client has gone, or was cut off. */
  readonly isCut: boolean;
  readonly tenant?: string;
  readonly responseId?: string;
  readonly conversationId?: string;
}

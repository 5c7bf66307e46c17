/** The limits that all processes of a schedule have. */
export const heartbeatTimeoutMs = 2_000;
export const limits = { heartbeatTimeoutMs, turnTimeoutMs: 600_000, maxOutputBytes: 1_000_000 };

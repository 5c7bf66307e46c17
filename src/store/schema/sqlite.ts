/** The tables of the embedded database. A change is a new entry: `PRAGMA user_version` counts them. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, leaf TEXT, metadata TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE turns (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, session TEXT, previous TEXT, status TEXT NOT NULL,
    settings TEXT NOT NULL, input TEXT NOT NULL, idempotency_key TEXT, body_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL, submitted INTEGER NOT NULL DEFAULT 0, recorded INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at INTEGER, settled_at INTEGER, error_code TEXT, retry_at INTEGER, usage TEXT, response TEXT,
    workflow_id TEXT, run_id TEXT
  ) STRICT;
  CREATE UNIQUE INDEX turns_by_key ON turns (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX turns_by_body ON turns (tenant, body_hash);
  CREATE INDEX turns_open ON turns (ordinal) WHERE settled_at IS NULL OR recorded = 0;

  CREATE TABLE items (
    turn TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (turn, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX items_by_id ON items (id);

  CREATE TABLE attempts (
    turn TEXT NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
    requested_at INTEGER NOT NULL, first_event_at INTEGER, ended_at INTEGER, outcome TEXT, code TEXT,
    detail TEXT, message TEXT, wait_ms INTEGER, provider_request_id TEXT,
    PRIMARY KEY (turn, step, attempt)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE journal_head (
    turn TEXT PRIMARY KEY, epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL, sealed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE journal (
    turn TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (turn, seq)
  ) STRICT, WITHOUT ROWID;
  `,
];

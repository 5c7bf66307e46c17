/** The first tables of the embedded database, and what became of them up to schema 5. */
export const migrationsTo5: readonly string[] = [
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

  // Branches: a chain of turns is a few runs of (branch, depth), so that neither a page nor a look at one item walks it.
  `
  CREATE TABLE branches (id TEXT PRIMARY KEY, parent TEXT, parent_depth INTEGER) STRICT, WITHOUT ROWID;
  ALTER TABLE turns ADD COLUMN kind TEXT NOT NULL DEFAULT 'response';
  ALTER TABLE turns ADD COLUMN stored INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE turns ADD COLUMN replaces TEXT;
  ALTER TABLE turns ADD COLUMN branch TEXT;
  ALTER TABLE turns ADD COLUMN depth INTEGER;
  ALTER TABLE turns ADD COLUMN erased_at INTEGER;
  ALTER TABLE turns ADD COLUMN erased_by TEXT;
  ALTER TABLE attempts ADD COLUMN usage TEXT;
  ALTER TABLE items ADD COLUMN call_id TEXT;
  UPDATE items SET call_id = json_extract(item, '$.call_id') WHERE json_extract(item, '$.type') = 'function_call';
  CREATE INDEX items_by_call ON items (call_id) WHERE call_id IS NOT NULL;
  ALTER TABLE sessions ADD COLUMN touched_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN name TEXT;
  ALTER TABLE sessions ADD COLUMN title_turn TEXT;
  ALTER TABLE sessions ADD COLUMN title_started INTEGER NOT NULL DEFAULT 0;
  UPDATE sessions SET touched_at = created_at;

  -- What was there before: each turn is a branch of its own.
  WITH RECURSIVE placed (id, parent, depth) AS (
    SELECT id, NULL, 0 FROM turns WHERE recorded = 1 AND previous IS NULL
    UNION ALL SELECT turns.id, placed.id, placed.depth + 1 FROM placed JOIN turns ON turns.previous = placed.id WHERE turns.recorded = 1
  )
  INSERT INTO branches (id, parent, parent_depth) SELECT id, parent, depth - 1 FROM placed;
  UPDATE turns SET branch = id, depth = (SELECT coalesce(parent_depth, -1) + 1 FROM branches WHERE branches.id = turns.id)
    WHERE id IN (SELECT id FROM branches);

  CREATE UNIQUE INDEX turns_by_place ON turns (branch, depth);
  CREATE INDEX turns_by_previous ON turns (previous) WHERE previous IS NOT NULL;
  CREATE INDEX turns_unsettled ON turns (tenant, session, ordinal) WHERE settled_at IS NULL;
  CREATE INDEX turns_by_session ON turns (tenant, session) WHERE session IS NOT NULL;
  CREATE INDEX turns_by_end ON turns (settled_at) WHERE settled_at IS NOT NULL AND erased_at IS NULL;
  CREATE INDEX turns_unstored ON turns (settled_at) WHERE stored = 0;
  CREATE INDEX turns_erased ON turns (erased_at) WHERE erased_at IS NOT NULL;
  CREATE UNIQUE INDEX sessions_by_name ON sessions (tenant, name) WHERE name IS NOT NULL;
  CREATE INDEX sessions_by_use ON sessions (tenant, touched_at, id);
  CREATE INDEX sessions_untitled ON sessions (id) WHERE title_turn IS NOT NULL AND title_started = 0;

  CREATE TABLE early_cancels (
    tenant TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  `,

  // So that neither a long session nor what is past retention is walked. Queries name the first by hand: SQLite, which
  // keeps no statistics, takes it for no better than all turns of the session.
  `
  DROP INDEX turns_unsettled;
  CREATE INDEX turns_unfinished ON turns (tenant, session, ordinal) WHERE settled_at IS NULL OR recorded = 0;
  CREATE INDEX sessions_by_leaf ON sessions (leaf) WHERE leaf IS NOT NULL;
  CREATE INDEX sessions_by_age ON sessions (touched_at);
  DROP INDEX turns_by_end;
  CREATE INDEX turns_by_end ON turns (settled_at) WHERE settled_at IS NOT NULL AND erased_by IS NOT 'retention';
  `,

  // One word a thing: Temporal has the turn (dispatched); a client has its end (acknowledged).
  `
  ALTER TABLE turns RENAME COLUMN submitted TO dispatched;
  ALTER TABLE turns RENAME COLUMN delivered TO acknowledged;
  `,

  // Leases, and the order of a session in the database. The words of a turn stand once, among the items, from its acceptance on;
  // what is large and seldom read is kept apart from the row that changes often; an index holds the turns that somebody will
  // look for, and no others. Journal rows are numbered over all turns, so that a process learns by one question which turns
  // another has written to.
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('database', lower(hex(randomblob(8))));
  CREATE TABLE leaders (task TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  -- Turns whose items are written, a slice a commit, before the turn itself is.
  CREATE TABLE staged (turn TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX early_cancels_by_age ON early_cancels (at);
  ALTER TABLE attempts ADD COLUMN epoch INTEGER;
  ALTER TABLE attempts ADD COLUMN holder TEXT;

  ALTER TABLE journal_head ADD COLUMN holder TEXT;
  ALTER TABLE journal_head ADD COLUMN step INTEGER;
  ALTER TABLE journal_head ADD COLUMN lease_until INTEGER;
  CREATE INDEX leases ON journal_head (lease_until) WHERE lease_until IS NOT NULL;

  ALTER TABLE journal RENAME TO journal_before;
  CREATE TABLE journal (
    ordinal INTEGER PRIMARY KEY, turn TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (turn, seq)
  ) STRICT;
  INSERT INTO journal (turn, seq, type, data) SELECT turn, seq, type, data FROM journal_before;
  DROP TABLE journal_before;

  -- With row ids: without, the large items on the way to one are read whole, to be compared with it.
  -- branch and depth: of a call, where in the tree of turns it was made.
  ALTER TABLE items RENAME TO items_before;
  CREATE TABLE items (
    turn TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, call_id TEXT, branch TEXT, depth INTEGER, item TEXT NOT NULL,
    UNIQUE (turn, position)
  ) STRICT;
  INSERT INTO items (turn, position, id, call_id, branch, depth, item)
    SELECT turn, position, old.id, call_id, iif(call_id IS NULL, NULL, branch), iif(call_id IS NULL, NULL, depth), item
    FROM items_before AS old JOIN turns ON turns.id = turn;
  INSERT OR IGNORE INTO items (turn, position, id, call_id, branch, depth, item)
    SELECT turns.id, each.key, each.value ->> '$.id', NULL, NULL, NULL, each.value FROM turns, json_each(turns.input) AS each
    WHERE kind = 'response' AND (recorded = 0 OR stored = 0);
  DROP TABLE items_before;
  CREATE INDEX items_by_id ON items (id);
  CREATE INDEX items_by_call ON items (branch, call_id, depth) WHERE branch IS NOT NULL;

  -- title_requested: the model has been asked for it.
  ALTER TABLE sessions ADD COLUMN title_requested INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN first_turn TEXT;
  UPDATE sessions SET first_turn = (SELECT id FROM turns WHERE turns.tenant = sessions.tenant AND session = sessions.id
    AND kind = 'response' AND stored = 1 ORDER BY ordinal LIMIT 1);
  DROP INDEX sessions_by_age;

  -- response: where the journal, whose last row has it, is dropped. A turn has a place (branch, depth) once it is recorded.
  -- public_id: what a client calls its turn is its tenant's own affair; null: the turn's own id.
  CREATE TABLE turn_content (ordinal INTEGER PRIMARY KEY, settings TEXT NOT NULL, response TEXT) STRICT;
  INSERT INTO turn_content
    SELECT ordinal, settings, iif(EXISTS (SELECT 1 FROM journal_head WHERE turn = turns.id), NULL, response) FROM turns;
  ALTER TABLE turns RENAME TO turns_before;
  CREATE TABLE turns (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, public_id TEXT, kind TEXT NOT NULL DEFAULT 'response', tenant TEXT NOT NULL,
    session TEXT, previous TEXT, replaces TEXT, branch TEXT, depth INTEGER NOT NULL DEFAULT -1, stored INTEGER NOT NULL DEFAULT 1,
    status TEXT NOT NULL, idempotency_key TEXT, body_hash TEXT NOT NULL, resend INTEGER NOT NULL DEFAULT 0,
    input_count INTEGER NOT NULL DEFAULT 0, brings_outputs INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL, ready_at INTEGER, dispatched INTEGER NOT NULL DEFAULT 0, cancel_requested_at INTEGER,
    settled_at INTEGER, acknowledged INTEGER NOT NULL DEFAULT 0, erased_at INTEGER, erased_by TEXT,
    error_code TEXT, retry_at INTEGER, usage TEXT, workflow_id TEXT, run_id TEXT
  ) STRICT;
  INSERT INTO turns
    SELECT ordinal, id, NULL, kind, tenant, session, previous, replaces, branch, coalesce(depth, -1), stored, status, idempotency_key,
      body_hash, 0, json_array_length(input), json_array_length(input) > 0
        AND NOT EXISTS (SELECT 1 FROM json_each(input) WHERE value ->> '$.type' <> 'function_call_output'),
      created_at, iif(recorded = 1 OR settled_at IS NOT NULL, created_at, NULL), dispatched, cancel_requested_at, settled_at,
      acknowledged, erased_at, erased_by, error_code, retry_at, usage, workflow_id, run_id FROM turns_before;
  DROP TABLE turns_before;
  CREATE UNIQUE INDEX turns_by_public_id ON turns (tenant, public_id) WHERE public_id IS NOT NULL;
  CREATE UNIQUE INDEX turns_by_key ON turns (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE UNIQUE INDEX turns_by_place ON turns (branch, depth);
  CREATE INDEX turns_by_body ON turns (tenant, body_hash) WHERE acknowledged = 0;
  CREATE INDEX turns_unsettled ON turns (tenant, session, ordinal) WHERE settled_at IS NULL;
  CREATE INDEX turns_undispatched ON turns (ready_at) WHERE dispatched = 0 AND ready_at IS NOT NULL AND settled_at IS NULL;
  CREATE INDEX turns_unstored ON turns (acknowledged, settled_at) WHERE stored = 0 AND settled_at IS NOT NULL;
  -- erased_at: when all that the turn said was gone.
  CREATE INDEX turns_by_end ON turns (settled_at) WHERE settled_at IS NOT NULL AND (erased_at IS NULL OR erased_by = 'owner');
  CREATE INDEX turns_erasing ON turns (ordinal) WHERE erased_by IS NOT NULL AND erased_at IS NULL;
  CREATE INDEX turn_stubs ON turns (erased_at) WHERE erased_by = 'retention' AND erased_at IS NOT NULL;
  -- A tree's first branch needs no row.
  DELETE FROM branches WHERE parent IS NULL;
  CREATE INDEX branches_by_parent ON branches (parent, parent_depth);
  `,
];

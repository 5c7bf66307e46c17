/** The steps from an empty file to today's tables. A change is a new entry: `PRAGMA user_version` counts them. */
import { migrationsTo5 } from './migrations-to-5.ts';

export const migrations: readonly string[] = [
  ...migrationsTo5,

  // How long a lease was given for: one that has more left than that was given by a clock that has been set back since.
  `
  ALTER TABLE journal_head ADD COLUMN lease_ms INTEGER;
  DROP INDEX leases;
  CREATE INDEX leases ON journal_head (lease_until, lease_ms) WHERE lease_until IS NOT NULL;
  `,

  // What a sweep looks for is found without a walk over all turns that run.
  `
  CREATE INDEX turns_dispatched ON turns (ordinal) WHERE settled_at IS NULL AND dispatched = 1;
  CREATE INDEX turns_to_cancel ON turns (cancel_requested_at) WHERE settled_at IS NULL AND cancel_requested_at IS NOT NULL;
  CREATE INDEX turns_waiting ON turns (ordinal) WHERE settled_at IS NULL AND ready_at IS NULL;
  `,

  // When the next request of a turn that nobody holds is due: whoever is to send it may stand still.
  `
  ALTER TABLE journal_head ADD COLUMN due_at INTEGER;
  CREATE INDEX requests_due ON journal_head (due_at) WHERE due_at IS NOT NULL AND sealed = 0 AND lease_until IS NULL;
  UPDATE journal_head SET due_at = unixepoch() * 1000
    WHERE sealed = 0 AND lease_until IS NULL AND turn IN (SELECT id FROM turns WHERE settled_at IS NULL AND dispatched = 1);
  `,

  // The list of a tenant's turns, by their age. The model stands in the row: the settings may be 32 MB long, with their tools.
  `
  CREATE INDEX turns_by_tenant ON turns (tenant);
  ALTER TABLE turns ADD COLUMN model TEXT;
  UPDATE turns SET model = (SELECT settings ->> '$.model' FROM turn_content WHERE turn_content.ordinal = turns.ordinal) WHERE kind = 'response';
  `,

  // Events that are owed to endpoints. events: those that are wanted, from the turn's acceptance on; event: the one that its
  // end became; start_at: when it is to be handed to Temporal, again too; null: it has an end.
  `
  CREATE TABLE webhooks (
    turn TEXT PRIMARY KEY, events TEXT NOT NULL, event TEXT, owed_at INTEGER, start_at INTEGER,
    status TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhooks_to_start ON webhooks (start_at) WHERE start_at IS NOT NULL;
  `,

  // The user has said more while the turn runs: whoever runs it ends it where nothing is torn.
  `
  ALTER TABLE journal_head ADD COLUMN steered INTEGER NOT NULL DEFAULT 0;
  `,

  // Turns that are found as stored Chat Completions: those that were made before this had no such thing asked for.
  `
  CREATE TABLE completions (ordinal INTEGER PRIMARY KEY, tenant TEXT NOT NULL, legacy INTEGER NOT NULL, metadata TEXT NOT NULL) STRICT;
  CREATE INDEX completions_by_tenant ON completions (tenant);
  `,

  // Calls of tools that workers run. step: the one that tells the model of them; last: the turn ends with them; call: what was
  // asked for; runs: how often it was begun.
  `
  CREATE TABLE tool_calls (
    turn TEXT NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL, position INTEGER,
    last INTEGER NOT NULL, runs INTEGER NOT NULL DEFAULT 0, started_at INTEGER, ended_at INTEGER, outcome TEXT,
    progress TEXT, call TEXT NOT NULL, result TEXT, PRIMARY KEY (turn, number)
  ) STRICT;
  CREATE TABLE approvals (tenant TEXT NOT NULL, id TEXT NOT NULL, turn TEXT NOT NULL, PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID;
  CREATE INDEX approvals_by_turn ON approvals (turn);
  `,

  // What requests took, for budgets: as the provider counted it, or as it was estimated; in US dollars where a price is known.
  // Of a session, what its turns have spent that have their end.
  `
  ALTER TABLE attempts ADD COLUMN spent_tokens INTEGER;
  ALTER TABLE attempts ADD COLUMN cost REAL;
  ALTER TABLE sessions ADD COLUMN spent TEXT;
  `,

  // Turns that carry out a call of another. parent: that turn; parent_call: the number of its call; usage: their tokens.
  `
  ALTER TABLE turns ADD COLUMN parent TEXT;
  ALTER TABLE turns ADD COLUMN parent_call INTEGER;
  CREATE INDEX turns_by_parent ON turns (parent) WHERE parent IS NOT NULL;
  ALTER TABLE tool_calls ADD COLUMN usage TEXT;
  `,

  // Turns that a workflow of somebody's own runs: the first run of that workflow. It alone carries them out.
  `
  ALTER TABLE turns ADD COLUMN owner_run TEXT;
  `,

  // Each run of a call: when, whose, and how it ended.
  `
  ALTER TABLE tool_calls ADD COLUMN run_log TEXT;
  `,

  // called_spent: by the turns that it called and that have their end, so that a budget is read without looking at those.
  `
  ALTER TABLE turns ADD COLUMN called_spent TEXT;
  CREATE INDEX turns_called_unsettled ON turns (parent) WHERE parent IS NOT NULL AND settled_at IS NULL;
  `,

  // Answers that their providers keep. response_id: there; response_after: the last row of the journal before the answer;
  // reattached: a list of when it was read on.
  `
  ALTER TABLE attempts ADD COLUMN response_id TEXT;
  ALTER TABLE attempts ADD COLUMN response_after INTEGER;
  ALTER TABLE attempts ADD COLUMN reattached TEXT;
  `,

  // Answers that are kept and not at their end: those that were passed on are found by it.
  `
  CREATE INDEX attempts_kept ON attempts (turn) WHERE ended_at IS NULL AND response_id IS NOT NULL;
  `,

  // Encrypted reasoning that no client asked for. item: the id of its reasoning item; maker: the provider and the model that can
  // read it.
  `
  CREATE TABLE hidden_reasoning (turn TEXT NOT NULL, item TEXT NOT NULL, maker TEXT NOT NULL, encrypted TEXT NOT NULL) STRICT;
  CREATE INDEX hidden_reasoning_by_turn ON hidden_reasoning (turn);
  `,

  // What came from the provider, in parts, by the claim that asked for it (epoch): dropped with the journal.
  `
  CREATE TABLE recordings (
    turn TEXT NOT NULL, epoch INTEGER NOT NULL, part INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (turn, epoch, part)
  ) STRICT, WITHOUT ROWID;
  `,

  // What is told of a turn when somebody asks what it did. run_id: of the workflow that asked for an attempt; last_seq: the
  // journal's last event when it ended; facts: how far its request came, the errors behind its failure, why another followed.
  // Of a request for an approval: the turn that answered it, and how.
  `
  ALTER TABLE attempts ADD COLUMN run_id TEXT;
  ALTER TABLE attempts ADD COLUMN last_seq INTEGER;
  ALTER TABLE attempts ADD COLUMN facts TEXT;
  ALTER TABLE approvals ADD COLUMN answered_by TEXT;
  ALTER TABLE approvals ADD COLUMN answered_at INTEGER;
  ALTER TABLE approvals ADD COLUMN approved INTEGER;
  CREATE INDEX approvals_by_answer ON approvals (answered_by) WHERE answered_by IS NOT NULL;
  `,

  // Who followed a turn, and how far: written now and then by the gateways, dropped with the journal.
  `
  CREATE TABLE viewers (
    turn TEXT NOT NULL, id TEXT NOT NULL, protocol TEXT NOT NULL, opened_at INTEGER NOT NULL, from_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, last_at INTEGER, closed_at INTEGER, ended TEXT, PRIMARY KEY (turn, opened_at, id)
  ) STRICT, WITHOUT ROWID;
  `,

  // Providers that fail for everybody. key: the address and the model; opened_at: since when; trips: how often it was found so;
  // until: nothing is sent before; probe_until: one request is under way, so long; detail: of the failure.
  `
  CREATE TABLE breakers (
    key TEXT PRIMARY KEY, opened_at INTEGER NOT NULL, trips INTEGER NOT NULL, until INTEGER NOT NULL, probe_until INTEGER,
    detail TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,

  // Keys of the HTTP API. hash: SHA-256 in hex; scopes: with commas between them. `meta` has the mark of the codec key in use.
  `
  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Takes a turn in: what `decideAdmission` asks of the database, and what it has written. */
import {
  type Admission,
  type AdmissionFacts,
  decideAdmission,
  type PreviousFacts,
  resendWindowMs,
  type UnsettledTurn,
} from '../../domain/turn/admission.ts';
import { answersCall } from '../../domain/agents/approval.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { InsertTurn, NewTurn } from '../ports/turns.ts';
import { bookAttempt } from './attempts.ts';
import { insertCompletion } from './completions.ts';
import type { Database, Row } from './database.ts';
import { bookApprovals, isAnswered } from './tool-calls.ts';
import { writeItems } from './item-rows.ts';
import { insertJournal } from './journal.ts';
import { dropStaged } from './retention.ts';
import { erasedByOf, numberOrNull, text, turnOf } from './rows.ts';
import { readSession, useSession } from './sessions.ts';
import { adoptStaged, placeOfInput, type PreparedInput, prepareInput } from './stage-input.ts';
import { type Record, recordOf } from './transcript.ts';
import { isOver, readByPublicId, rowByPublicId, turnRows, unsettledTurns } from './turns.ts';
import { promiseWebhook } from './webhooks.ts';

type Admitted = Extract<Admission, { type: 'admitted' }>;

export async function insertTurn(db: Database, turn: NewTurn): Promise<InsertTurn> {
  const decide = (): Admission => decideAdmission(turn, admissionFacts(db, turn));
  const input = await prepareInput(db, turn, () => decide().type === 'admitted');
  const result = await db.commit('durable', (): InsertTurn | undefined => {
    const admission = decide();
    if (admission.type !== 'admitted') return admission;
    const id = answeredBefore(db, turn);
    if (id !== undefined) return { type: 'approval_answered', id };
    return input && { type: 'inserted', ...write(db, turn, admission, input) };
  });
  if (input?.isStaged === true && result?.type !== 'inserted') await dropStaged(db, turn.id);
  // Refused at first, and admitted now: what refused it has gone in between.
  return result ?? insertTurn(db, turn);
}

/** Where the turn is ready, all that `claim` does is done by the same few statements: the first request is the caller's to send. */
function write(
  db: Database,
  turn: NewTurn,
  { cancelRequestedAtMs, interrupts, isReady }: Admitted,
  input: PreparedInput,
): Omit<Extract<InsertTurn, { type: 'inserted' }>, 'type'> {
  const { id, tenant, session, chosenId, createdAtMs, headStart } = turn;
  if (cancelRequestedAtMs !== null) db.run('DELETE FROM early_cancels WHERE tenant = ? AND id = ?', tenant, chosenId ?? id);
  if (interrupts !== undefined) db.run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', createdAtMs, interrupts);
  const isStored = turn.settings.store;
  const previous = previousOf(db, turn)?.id ?? null;
  const record = isReady ? recordOf(db, { id, session, previous, replaces: turn.replaces ?? null, isStored }, input.hasCalls) : undefined;
  const readyAtMs = isReady ? Date.now() : null;
  const start = isReady && cancelRequestedAtMs === null ? headStart : undefined;
  const row = rowOf(turn, { previous: record?.previous ?? previous, cancelRequestedAtMs, readyAtMs, isStarted: start !== undefined });

  writeRow(db, turn, row, record);
  db.run('INSERT INTO turn_content (ordinal, settings) VALUES (last_insert_rowid(), ?)', turn.json.settings);
  if (turn.webhookEvents !== undefined && turn.webhookEvents.length > 0) promiseWebhook(db, id, turn.webhookEvents);
  insertCompletion(db, turn);
  // What is taken back before it is said says nothing: the requests can still be answered.
  if (turn.approvals !== undefined && cancelRequestedAtMs === null) bookApprovals(db, turn.tenant, id, turn.approvals);
  if (input.isStaged) adoptStaged(db, id);
  else writeItems(db, id, 0, input.rows, placeOfInput(id));
  const leaf = record !== undefined && isStored ? id : undefined;
  const use = { atMs: createdAtMs, leaf, ...(isStored ? { turn: { id, wantsTitle: turn.wantsTitle === true } } : {}) };
  const givesTitle = session !== null && useSession(db, session, use);
  const epoch = start === undefined ? 0 : 1;
  const rows = start === undefined ? turn.events : [...turn.events, start.row];
  insertJournal(db, id, { epoch, rows, ...(start === undefined ? {} : { step: 1, lease: start.lease }) });
  if (start !== undefined) bookAttempt(db, { turn: id, step: 1, attempt: 1 }, { epoch, lease: start.lease });
  return {
    turn: row,
    ...(interrupts === undefined ? {} : { interrupted: interrupts }),
    ...(start === undefined ? {} : { epoch }),
    ...(givesTitle ? { givesTitle } : {}),
  };
}

function answeredBefore(db: Database, { tenant, approvals }: NewTurn): string | undefined {
  return approvals?.answered.find(({ id }) => isAnswered(db, tenant, id))?.id;
}

/** Each is asked of the database when it is looked at: most turns need a few. */
function admissionFacts(db: Database, turn: NewTurn): AdmissionFacts {
  const { chosenId = '', tenant, session, idempotencyKey, bodyHash, createdAtMs } = turn;
  return {
    get ofId() {
      return readByPublicId(db, tenant, chosenId);
    },
    get ofKey() {
      const row = db.one(`${turnRows} WHERE tenant = ? AND idempotency_key = ?`, tenant, idempotencyKey);
      return row && turnOf(row);
    },
    get twin() {
      const sql = `${turnRows} WHERE tenant = ? AND body_hash = ? AND acknowledged = 0 AND session IS ? AND erased_by IS NULL
         AND (settled_at IS NULL OR settled_at > ?) ORDER BY ordinal DESC LIMIT 1`;
      const row = db.one(sql, tenant, bodyHash, session, createdAtMs - resendWindowMs);
      return row && { turn: turnOf(row), isResend: row['resend'] === 1 };
    },
    get previous() {
      return previousOf(db, turn);
    },
    get hasSession() {
      return session !== null && readSession(db, tenant, session) !== undefined;
    },
    get unsettledInSession() {
      const sql = `SELECT id, public_id, cancel_requested_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`;
      return db.all(sql, tenant, session).map(unsettledTurnOf);
    },
    get unsettledOfTenant() {
      return Number(db.one(`SELECT count(*) AS n FROM ${unsettledTurns}`, tenant)?.['n']);
    },
    get earlyCancelAtMs() {
      const row = db.one('SELECT at FROM early_cancels WHERE tenant = ? AND id = ?', tenant, chosenId);
      return row === undefined ? undefined : Number(row['at']);
    },
    get isParentOver() {
      return isOver(db, turn.parent?.turn ?? '');
    },
  };
}

/** One that was not to be stored is nobody's past once it has ended. */
function previousOf(db: Database, { tenant, previous }: NewTurn): ({ readonly id: string } & PreviousFacts) | undefined {
  const select = 'SELECT id, session, ordinal, stored, settled_at, erased_by FROM turns';
  const row = previous === null ? undefined : rowByPublicId(db, select, tenant, previous);
  if (row === undefined || (row['stored'] === 0 && row['settled_at'] !== null)) return undefined;
  return {
    id: text(row['id']),
    settledAtMs: numberOrNull(row['settled_at']),
    erasedBy: erasedByOf(row['erased_by']),
    get isBehindUnsettled() {
      const sql = `SELECT 1 FROM ${unsettledTurns} AND session = ? AND ordinal < ? LIMIT 1`;
      return db.one(sql, tenant, row['session'] ?? null, row['ordinal'] ?? null) !== undefined;
    },
  };
}

function writeRow(db: Database, turn: NewTurn, row: TurnRow, record: Record | undefined): void {
  db.run(
    `INSERT INTO turns (id, public_id, tenant, session, previous, branch, depth, replaces, status, idempotency_key, body_hash, created_at,
       ready_at, stored, resend, cancel_requested_at, workflow_id, owner_run, dispatched, input_count, brings_outputs, model, parent, parent_call)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    turn.id,
    turn.chosenId ?? null,
    turn.tenant,
    turn.session,
    row.previous,
    record?.place.branch ?? null,
    record?.place.depth ?? -1,
    row.replaces,
    row.status,
    turn.idempotencyKey,
    turn.bodyHash,
    turn.createdAtMs,
    row.readyAtMs,
    row.isStored ? 1 : 0,
    turn.isResend ? 1 : 0,
    row.cancelRequestedAtMs,
    turn.workflowId,
    row.ownerRunId,
    row.isDispatched ? 1 : 0,
    row.inputCount,
    row.bringsOutputs ? 1 : 0,
    turn.settings.model,
    turn.parent?.turn ?? null,
    turn.parent?.number ?? null,
  );
}

interface RowFacts extends Pick<TurnRow, 'previous' | 'cancelRequestedAtMs' | 'readyAtMs'> {
  readonly isStarted: boolean;
}

/** The row as it is then in the database, without reading it back. */
function rowOf(turn: NewTurn, { isStarted, ...facts }: RowFacts): TurnRow {
  const {
    id,
    chosenId: publicId = id,
    tenant,
    session,
    replaces = null,
    parent = null,
    settings,
    input,
    bodyHash,
    createdAtMs,
    workflowId,
    ownerRunId = null,
  } = turn;
  return {
    ...facts,
    id,
    publicId,
    tenant,
    session,
    replaces,
    parent,
    settings,
    bodyHash,
    createdAtMs,
    workflowId,
    kind: 'response',
    status: isStarted ? 'in_progress' : 'queued',
    inputCount: input.length,
    bringsOutputs: input.length > 0 && input.every(answersCall),
    isStored: settings.store,
    isDispatched: ownerRunId !== null,
    isRecorded: facts.readyAtMs !== null,
    settledAtMs: null,
    erasedBy: null,
    errorCode: null,
    retryAtMs: null,
    usage: null,
    runId: null,
    ownerRunId,
  };
}

function unsettledTurnOf(row: Row): UnsettledTurn {
  return { id: text(row['id']), publicId: text(row['public_id'] ?? row['id']), isCancelRequested: row['cancel_requested_at'] !== null };
}

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
import { decideBy } from './decide.ts';
import { all, lockSession, lockTenant, lockTurn, now, one, onlyIn, run, type Row, type SqlDatabase, together, type Work } from './work.ts';
import { bookApprovals, isAnswered } from './tool-calls.ts';
import { writeItems } from './item-rows.ts';
import { insertJournal, leaseFrom } from './journal.ts';
import { dropStaged } from './retention.ts';
import { erasedByOf, numberOrNull, text, turnOf } from './rows.ts';
import { readSession, useSession } from './sessions.ts';
import { adoptStaged, placeOfInput, type PreparedInput, prepareInput } from './stage-input.ts';
import { type Record, recordOf } from './transcript.ts';
import { isOver, readByPublicId, rowByPublicId, turnRows, unsettledTurns } from './turns.ts';
import { promiseWebhook } from './webhooks.ts';

type Admitted = Extract<Admission, { type: 'admitted' }>;

export async function insertTurn(db: SqlDatabase, turn: NewTurn): Promise<InsertTurn> {
  const input = await prepareInput(db, turn, async () => (await db.read(() => decide(turn))).type === 'admitted');
  const result = await db.commit(
    'durable',
    function* (): Work<InsertTurn | undefined> {
      yield* lockTenant(turn.tenant);
      if (turn.session !== null) yield* lockSession(turn.session);
      yield* lockPast(turn);
      const admission = yield* decide(turn);
      if (admission.type !== 'admitted') return admission;
      const id = yield* answeredBefore(turn);
      if (id !== undefined) return { type: 'approval_answered', id };
      // It has waited for a connection, and for the locks.
      turn.signal?.throwIfAborted();
      return input && { type: 'inserted', ...(yield* write(turn, admission, input)) };
    },
    `tenant:${turn.tenant}`,
  );
  if (input?.isStaged === true && result?.type !== 'inserted') await dropStaged(db, turn.id);
  // Refused at first, and admitted now: what refused it has gone in between.
  return result ?? insertTurn(db, turn);
}

/** Where the turn is ready, all that `claim` does is done by the same few statements: the first request is the caller's to send. */
function* write(
  turn: NewTurn,
  { cancelRequestedAtMs, interrupts, isReady }: Admitted,
  input: PreparedInput,
): Work<Omit<Extract<InsertTurn, { type: 'inserted' }>, 'type'>> {
  const { id, tenant, session, chosenId, createdAtMs, headStart } = turn;
  if (cancelRequestedAtMs !== null) yield* run('DELETE FROM early_cancels WHERE tenant = ? AND id = ?', tenant, chosenId ?? id);
  if (interrupts !== undefined) yield* run('UPDATE turns SET cancel_requested_at = ? WHERE id = ?', createdAtMs, interrupts);
  const isStored = turn.settings.store;
  const previous = (yield* previousOf(turn))?.id ?? null;
  const record = isReady
    ? yield* recordOf({ id, session, previous, replaces: turn.replaces ?? null, isStored }, input.hasCalls)
    : undefined;
  const readyAtMs = isReady ? yield* now() : null;
  const start = isReady && cancelRequestedAtMs === null ? headStart : undefined;
  const row = rowOf(turn, { previous: record?.previous ?? previous, cancelRequestedAtMs, readyAtMs, isStarted: start !== undefined });

  const ordinal = yield* writeRow(turn, row, record);
  const leaf = record !== undefined && isStored ? id : undefined;
  const use = { atMs: createdAtMs, leaf, ...(isStored ? { turn: { id, wantsTitle: turn.wantsTitle === true } } : {}) };
  const epoch = start === undefined ? 0 : 1;
  const rows = start === undefined ? turn.events : [...turn.events, start.row];
  const leaseUntilMs = start === undefined ? undefined : leaseFrom(start.lease);
  const [givesTitle] = yield* together([
    function* () {
      return session !== null && (yield* useSession(session, use));
    },
    () => run('INSERT INTO turn_content (ordinal, settings) VALUES (?, ?)', ordinal, turn.json.settings),
    () => (input.isStaged ? adoptStaged(id) : writeItems(id, 0, input.rows, placeOfInput(id))),
    () => insertJournal(id, { epoch, rows, ...(start === undefined ? {} : { step: 1, lease: start.lease }) }),
    function* () {
      if (start !== undefined) yield* bookAttempt({ turn: id, step: 1, attempt: 1 }, { epoch, lease: start.lease });
    },
    () => insertCompletion(turn),
    function* () {
      if (turn.webhookEvents !== undefined && turn.webhookEvents.length > 0) yield* promiseWebhook(id, turn.webhookEvents);
    },
    function* () {
      // What is taken back before it is said says nothing: the requests can still be answered.
      if (turn.approvals !== undefined && cancelRequestedAtMs === null) yield* bookApprovals(turn.tenant, id, turn.approvals);
    },
  ]);
  return {
    turn: row,
    ...(interrupts === undefined ? {} : { interrupted: interrupts }),
    ...(leaseUntilMs === undefined ? {} : { begun: { epoch, leaseUntilMs } }),
    ...(givesTitle ? { givesTitle } : {}),
  };
}

/** Neither the turn that has called it ends meanwhile, nor is the one that it follows dropped. */
function* lockPast({ tenant, previous, parent }: NewTurn): Work<void> {
  if (parent !== undefined) yield* lockTurn(parent.turn);
  if (previous === null) return;
  const isPrevious = '(id = ? AND public_id IS NULL) OR public_id = ?';
  yield* onlyIn('postgres', `SELECT 1 FROM turns WHERE tenant = ? AND (${isPrevious}) FOR UPDATE`, tenant, previous, previous);
}

function* answeredBefore({ tenant, approvals }: NewTurn): Work<string | undefined> {
  for (const { id } of approvals?.answered ?? []) if (yield* isAnswered(tenant, id)) return id;
  return undefined;
}

function* decide(turn: NewTurn): Work<Admission> {
  const { chosenId = '', tenant, session, idempotencyKey, bodyHash, createdAtMs } = turn;
  return yield* decideBy<AdmissionFacts, Admission>((facts) => decideAdmission(turn, facts), {
    ofId: () => readByPublicId(tenant, chosenId),
    *ofKey() {
      const row = yield* one(`${turnRows} WHERE tenant = ? AND idempotency_key = ?`, tenant, idempotencyKey);
      return row && turnOf(row);
    },
    *twin() {
      const sql = `${turnRows} WHERE tenant = ? AND body_hash = ? AND acknowledged = 0 AND session IS NOT DISTINCT FROM ? AND erased_by IS NULL
         AND (settled_at IS NULL OR settled_at > ?) ORDER BY ordinal DESC LIMIT 1`;
      const row = yield* one(sql, tenant, bodyHash, session, createdAtMs - resendWindowMs);
      return row && { turn: turnOf(row), isResend: row['resend'] === 1 };
    },
    previous: () => previousOf(turn),
    *hasSession() {
      return session !== null && (yield* readSession(tenant, session)) !== undefined;
    },
    *unsettledInSession() {
      const sql = `SELECT id, public_id, cancel_requested_at FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`;
      return (yield* all(sql, tenant, session)).map(unsettledTurnOf);
    },
    *unsettledOfTenant() {
      return Number((yield* one(`SELECT count(*) AS n FROM ${unsettledTurns}`, tenant))?.['n']);
    },
    *earlyCancelAtMs() {
      const row = yield* one('SELECT at FROM early_cancels WHERE tenant = ? AND id = ?', tenant, chosenId);
      return row === undefined ? undefined : Number(row['at']);
    },
    isParentOver: () => isOver(turn.parent?.turn ?? ''),
  });
}

/** One that was not to be stored is nobody's past once it has ended. */
function* previousOf({ tenant, previous }: NewTurn): Work<({ readonly id: string } & PreviousFacts) | undefined> {
  const select = 'SELECT id, session, ordinal, stored, settled_at, erased_by FROM turns';
  const row = previous === null ? undefined : yield* rowByPublicId(select, tenant, previous);
  if (row === undefined || (row['stored'] === 0 && row['settled_at'] !== null)) return undefined;
  const sql = `SELECT 1 FROM ${unsettledTurns} AND session = ? AND ordinal < ? LIMIT 1`;
  const settledAtMs = numberOrNull(row['settled_at']);
  return {
    id: text(row['id']),
    settledAtMs,
    erasedBy: erasedByOf(row['erased_by']),
    isBehindUnsettled: settledAtMs !== null && (yield* one(sql, tenant, row['session'] ?? null, row['ordinal'] ?? null)) !== undefined,
  };
}

/** @returns its ordinal */
function* writeRow(turn: NewTurn, row: TurnRow, record: Record | undefined): Work<number> {
  const inserted = yield* one(
    `INSERT INTO turns (id, public_id, tenant, session, previous, branch, depth, replaces, status, idempotency_key, body_hash, created_at,
       ready_at, stored, resend, cancel_requested_at, workflow_id, owner_run, dispatched, input_count, brings_outputs, model, parent, parent_call)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     RETURNING ordinal`,
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
  return Number(inserted?.['ordinal']);
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

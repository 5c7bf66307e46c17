import { decideAdmission, resendWindowMs } from '../../../src/domain/turn/admission.ts';
import { answersCall } from '../../../src/domain/agents/approval.ts';
import type { InputItem } from '../../../src/domain/item.ts';
import { refusesInput } from '../../../src/domain/prompt/refused-input.ts';
import { isAskedFor, type TurnSummary } from '../../../src/domain/turn/turn-list.ts';
import { isVisible } from '../../../src/domain/turn/turn.ts';
import type { CancelRequest, InsertTurn, NewTurn, TurnStore } from '../../../src/store/ports/turns.ts';
import { turnRow } from '../../support/turn-row.ts';
import { bookAttempt } from './attempts.ts';
import { type Connection, isUnsettled, itemsOf, type MemoryDatabase, modelOf, type StoredTurn, updateTurn } from './database.ts';
import { writeRows } from './journal-rows.ts';
import { awaitFirstClaim, takeLease } from './leases.ts';
import { cursorIn, pageOf } from './sessions.ts';
import { approvalKey, bookApprovals } from './tool-call-rows.ts';
import { makeReady } from './transcript.ts';

export function turnStore(connection: Connection): TurnStore {
  return {
    insertTurn: (turn) => connection.transaction((database) => insertTurn(database, turn)),
    readTurn: (id) => connection.transaction(({ turns }) => turns.get(id)?.row),
    findTurn: (tenant, publicId) => connection.transaction((database) => visible(byPublicId(database, tenant, publicId))?.row),
    readChildren: (id) =>
      connection.transaction((database) =>
        database
          .turnsWhere(({ row }) => row.parent?.turn === id)
          .map(({ row }) => ({ number: row.parent?.number ?? 0, publicId: row.publicId })),
      ),
    findModels: (tenant, publicIds) =>
      connection.transaction((database) => {
        const found = [...publicIds].map((id) => [id, byPublicId(database, tenant, id)] as const);
        return new Map(found.flatMap(([id, turn]) => (turn === undefined ? [] : [[id, modelOf(turn)] as const])).filter(isNamed));
      }),
    listUnsettledOf: (tenant, session) => connection.transaction((database) => database.unsettledIn(tenant, session).map(idOf)),
    readInput: (id) => connection.transaction((database) => inputOf(database, id)),
    readInputPage: (id, page) => connection.transaction((database) => pageOf(inputOf(database, id), page)),
    readInputCursor: (id, page, last) => connection.transaction((database) => cursorIn(inputOf(database, id), page, last)),
    readResponse: (id) => connection.transaction(({ turns }) => turns.get(id)?.response),
    readChain: (leaf, page) =>
      connection.transaction((database) =>
        pageOf(
          database.chainTo(leaf).map(({ row }) => row),
          page,
        ),
      ),
    listTurns: (tenant, { filter, limit, after }) =>
      connection.transaction((database) => {
        const cursor = after === undefined ? undefined : byPublicId(database, tenant, after);
        if (after !== undefined && cursor === undefined) return undefined;
        return database
          .turnsWhere(
            (turn) => turn.row.tenant === tenant && isVisible(turn.row) && isAskedFor({ ...turn.row, model: modelOf(turn) }, filter),
          )
          .toReversed()
          .filter(({ ordinal }) => cursor === undefined || ordinal < cursor.ordinal)
          .slice(0, limit)
          .map(summaryOf);
      }),
    readCounted: (tenant, { filter, before = Number.POSITIVE_INFINITY }) =>
      connection.transaction((database) => {
        const turns = database.turnsWhere(({ row, ordinal }) => row.tenant === tenant && ordinal < before).toReversed();
        const page = turns.slice(0, 2);
        const last = page.at(-1);
        const counted = page.filter((turn) => isVisible(turn.row) && isAskedFor({ ...turn.row, model: modelOf(turn) }, filter));
        return {
          turns: counted.map((turn) => ({ ...turn.row, model: modelOf(turn), attempts: turn.attempts })),
          rows: page.length + counted.reduce((sum, { attempts }) => sum + attempts.length, 0),
          ...(last === undefined ? {} : { last: { ordinal: last.ordinal, createdAtMs: last.row.createdAtMs } }),
        };
      }),
    markDispatched: (runs) =>
      connection.transaction(({ turns }) => {
        for (const { turn: id, runId } of runs) {
          const turn = turns.get(id);
          if (turn === undefined) continue;
          updateTurn(turn, { isDispatched: true, runId });
          awaitFirstClaim(turn);
        }
      }),
    listUndispatched: ({ readyForMs, limit }) =>
      connection.transaction((database) =>
        readyFor(database, readyForMs)
          .filter(({ row }) => !row.isDispatched)
          .toSorted((one, other) => Number(one.row.readyAtMs) - Number(other.row.readyAtMs))
          .slice(0, limit)
          .map(idOf),
      ),
    makeStrandedReady: () =>
      connection.transaction((database) => {
        for (const turn of database.turnsWhere(({ row }) => row.settledAtMs === null && row.readyAtMs === null)) {
          const { tenant, session } = turn.row;
          if (session === null || database.unsettledIn(tenant, session)[0] === turn) makeReady(database, turn);
        }
      }),
    listUnattended: ({ readyForMs, afterOrdinal, limit }) =>
      connection.transaction((database) =>
        readyFor(database, readyForMs)
          .filter(({ row, ordinal, journal }) => row.isDispatched && ordinal > afterOrdinal && journal?.lease === undefined)
          .slice(0, limit)
          .map(({ ordinal, row: { id, readyAtMs, workflowId, ownerRunId } }) => ({
            ordinal,
            turn: id,
            readyAtMs: readyAtMs ?? 0,
            ...(ownerRunId === null ? {} : { owner: { workflowId: workflowId ?? '', firstRunId: ownerRunId } }),
          })),
      ),
    readTranscript: (id, { isIncluded } = { isIncluded: false }) =>
      connection.transaction((database) =>
        database
          .chainTo(id)
          .filter((turn) => (isIncluded || turn.row.id !== id) && itemsOf(turn).length > 0)
          .map((turn) => ({
            status: turn.row.status,
            errorCode: turn.row.errorCode,
            model: modelOf(turn),
            items: itemsOf(turn),
            inputCount: turn.row.kind === 'items' ? itemsOf(turn).length : turn.input.length,
            ...(turn.hidden === undefined || turn.hidden.length === 0 ? {} : { hidden: turn.hidden }),
            ...(refusesInput(turn.row.errorCode, turn.attempts.at(-1)?.detail ?? null) ? { isRefused: true } : {}),
          })),
      ),
    requestCancel: (tenant, publicId, atMs) =>
      connection.transaction((database): CancelRequest => {
        const turn = visible(byPublicId(database, tenant, publicId));
        if (turn === undefined) {
          database.earlyCancels.set(`${tenant} ${publicId}`, atMs);
          return { type: 'unknown' };
        }
        const { row } = turn;
        if (!isUnsettled(turn)) return { type: 'settled', turn: row };
        updateTurn(turn, { cancelRequestedAtMs: row.cancelRequestedAtMs ?? atMs });
        return { type: 'accepted', turn: row };
      }),
    listStuckCancels: ({ acceptedForMs, limit }) =>
      connection.transaction((database) => {
        const beforeMs = Date.now() - acceptedForMs;
        const isStuck = (turn: StoredTurn): boolean => isUnsettled(turn) && (turn.row.cancelRequestedAtMs ?? Infinity) < beforeMs;
        return database.turnsWhere(isStuck).slice(0, limit).map(idOf);
      }),
    acknowledge: (id) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(id);
        if (turn === undefined || isUnsettled(turn) || turn.isAcknowledged) return false;
        turn.isAcknowledged = true;
        return true;
      }),
    retractAcknowledgement: (id) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(id);
        if (turn !== undefined) turn.isAcknowledged = false;
      }),
    countEnded: (tenant, withinMs) =>
      connection.transaction(
        (database) => database.turnsWhere(({ row }) => row.tenant === tenant && (row.settledAtMs ?? 0) > Date.now() - withinMs).length,
      ),
    counts: () =>
      connection.transaction((database) => {
        const unsettled = database.turnsWhere(isUnsettled);
        const running = unsettled.filter(({ row }) => row.status === 'in_progress').length;
        const ready = unsettled.flatMap(({ row }) => (row.status === 'in_progress' ? [] : (row.readyAtMs ?? [])));
        const leases = unsettled.flatMap(({ journal }) => journal?.lease ?? []);
        return {
          running,
          waiting: unsettled.length - running,
          oldestReadyAtMs: ready.length === 0 ? null : Math.min(...ready),
          oldestRenewalAtMs: leases.length === 0 ? null : Math.min(...leases.map(({ untilMs, lengthMs }) => untilMs - lengthMs)),
        };
      }),
  };
}

function summaryOf({ row, attempts }: StoredTurn): TurnSummary {
  const { publicId, session, status, settings, errorCode, createdAtMs, settledAtMs, usage, workflowId, ownerRunId } = row;
  const detail = errorCode === null ? null : (attempts.at(-1)?.detail ?? null);
  return {
    publicId,
    session,
    status,
    model: settings.model,
    errorCode,
    detail,
    createdAtMs,
    settledAtMs,
    requests: attempts.length,
    usage,
    owner: ownerRunId === null ? null : workflowId,
  };
}

function inputOf({ turns }: MemoryDatabase, id: string): readonly InputItem[] {
  const turn = turns.get(id);
  return turn === undefined || turn.row.erasedBy !== null ? [] : turn.input;
}

function insertTurn(database: MemoryDatabase, turn: NewTurn): InsertTurn {
  const {
    id,
    chosenId: publicId = id,
    tenant,
    session,
    settings,
    input,
    idempotencyKey,
    bodyHash,
    createdAtMs,
    workflowId,
    isResend,
  } = turn;
  const { earlyCancels } = database;
  const key = `${tenant} ${publicId}`;
  const named = turn.previous === null ? undefined : byPublicId(database, tenant, turn.previous)?.row;
  const previous = named?.isStored === false && named.settledAtMs !== null ? undefined : named;
  const twin = database.turnsWhere((each) => isTwin(each, turn)).at(-1);
  // All at once, as one round trip to a server would bring them.
  const admission = decideAdmission(turn, {
    ofId: byPublicId(database, tenant, publicId)?.row,
    ofKey: database.turnsWhere((each) => isOfKey(each, turn))[0]?.row,
    twin: twin && { turn: twin.row, isResend: twin.isResend },
    previous: previous && {
      ...previous,
      isBehindUnsettled: database.turnsWhere(isUnsettled).some(({ row, ordinal }) => {
        return row.session !== null && row.session === previous.session && ordinal < database.requireTurn(previous.id).ordinal;
      }),
    },
    hasSession: session !== null && database.sessionOf(tenant, session) !== undefined,
    unsettledInSession: database.unsettledIn(tenant, session).map(({ row }) => ({
      id: row.id,
      publicId: row.publicId,
      isCancelRequested: row.cancelRequestedAtMs !== null,
    })),
    unsettledOfTenant: database.turnsWhere((each) => each.row.tenant === tenant && isUnsettled(each)).length,
    earlyCancelAtMs: earlyCancels.get(key),
    isParentOver: database.turns.get(turn.parent?.turn ?? '')?.row.settledAtMs !== null,
  });
  if (admission.type !== 'admitted') return admission;
  const answered = turn.approvals?.answered.find((each) => database.approvals.has(approvalKey(tenant, each.id)))?.id;
  if (answered !== undefined) return { type: 'approval_answered', id: answered };
  turn.signal?.throwIfAborted();
  const { cancelRequestedAtMs, interrupts, isReady } = admission;
  if (cancelRequestedAtMs !== null) earlyCancels.delete(key);
  const { replaces = null, parent = null } = turn;
  const isStored = settings.store;
  const fields = {
    id,
    publicId,
    tenant,
    session,
    previous: previous?.id ?? null,
    replaces,
    parent,
    settings,
    inputCount: input.length,
    bringsOutputs: input.length > 0 && input.every(answersCall),
    bodyHash,
    createdAtMs,
    isStored,
    cancelRequestedAtMs,
    workflowId,
    ownerRunId: turn.ownerRunId ?? null,
    isDispatched: turn.ownerRunId !== undefined,
  };
  const givesTitle = session !== null && useSession(database, turn, session);
  if (interrupts !== undefined) updateTurn(database.requireTurn(interrupts), { cancelRequestedAtMs: createdAtMs });
  const journal = { epoch: 0, isSealed: false, rows: turn.events };
  const completion = turn.completion && { completion: { ...turn.completion, metadata: settings.metadata } };
  const extras = { webhook: promisedWebhook(turn), ...completion };
  const stored = database.addTurn(turnRow(fields), { idempotencyKey, isResend, input, journal, ...extras });
  if (cancelRequestedAtMs === null) bookApprovals(database, stored, turn);
  if (isReady) makeReady(database, stored);
  const begun = isReady && cancelRequestedAtMs === null ? startAhead(database, stored, turn) : undefined;
  return {
    type: 'inserted',
    turn: stored.row,
    ...(interrupts === undefined ? {} : { interrupted: interrupts }),
    ...(begun === undefined ? {} : { begun }),
    ...(givesTitle ? { givesTitle } : {}),
  };
}

function promisedWebhook({ webhookEvents = [] }: NewTurn): StoredTurn['webhook'] {
  return webhookEvents.length === 0 ? undefined : { events: webhookEvents, status: 'pending', attempts: 0, lastError: null };
}

function startAhead(
  database: MemoryDatabase,
  stored: StoredTurn,
  { id, headStart }: NewTurn,
): Extract<InsertTurn, { type: 'inserted' }>['begun'] {
  if (headStart === undefined) return undefined;
  const leaseUntilMs = Date.now() + headStart.lease.lengthMs;
  const epoch = takeLease(stored, 1, headStart.lease);
  bookAttempt(stored, { turn: id, step: 1, attempt: 1 }, { epoch, holder: headStart.lease.holder });
  writeRows(database, { turn: id, epoch, rows: [headStart.row] });
  updateTurn(stored, { status: 'in_progress' });
  return { epoch, leaseUntilMs };
}

/** Before the turn is in. True: it is to give the session a title. */
function useSession(database: MemoryDatabase, { id, tenant, createdAtMs, wantsTitle }: NewTurn, sessionId: string): boolean {
  const session = database.sessionOf(tenant, sessionId);
  if (session === undefined) return false;
  session.touchedAtMs = Math.max(session.touchedAtMs, createdAtMs);
  const isFirst = database.turnsWhere(({ row }) => row.session === sessionId && row.kind === 'response' && row.isStored).length === 0;
  if (wantsTitle !== true || !isFirst || session.titleTurn !== null) return false;
  session.titleTurn = id;
  return true;
}

function isOfKey({ row, idempotencyKey }: StoredTurn, turn: NewTurn): boolean {
  return row.tenant === turn.tenant && idempotencyKey !== null && idempotencyKey === turn.idempotencyKey;
}

function isTwin({ row, isAcknowledged }: StoredTurn, turn: NewTurn): boolean {
  const isSame = row.tenant === turn.tenant && row.bodyHash === turn.bodyHash && row.session === turn.session && row.erasedBy === null;
  return isSame && (row.settledAtMs === null || (row.settledAtMs > turn.createdAtMs - resendWindowMs && !isAcknowledged));
}

function readyFor(database: MemoryDatabase, readyForMs: number): StoredTurn[] {
  const beforeMs = Date.now() - readyForMs;
  return database.turnsWhere((turn) => isUnsettled(turn) && turn.row.readyAtMs !== null && turn.row.readyAtMs <= beforeMs);
}

export function byPublicId(database: MemoryDatabase, tenant: string, publicId: string): StoredTurn | undefined {
  return database.turnsWhere(({ row }) => row.tenant === tenant && row.publicId === publicId)[0];
}

function visible(turn: StoredTurn | undefined): StoredTurn | undefined {
  return turn !== undefined && isVisible(turn.row) ? turn : undefined;
}

function idOf({ row }: StoredTurn): string {
  return row.id;
}

function isNamed(entry: readonly [id: string, model: string | null]): entry is readonly [id: string, model: string] {
  return entry[1] !== null;
}

import { decideClaim, settledStatusOf } from '../../../src/domain/turn/claim.ts';
import { isFailureCode } from '../../../src/domain/failure.ts';
import { type JournalRow, journalRowOf, type ResponseEvent } from '../../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../../src/domain/response/response-stream.ts';
import type { ResponseObject } from '../../../src/domain/response/response.ts';
import { JournalBroker } from '../../../src/store/live/broker.ts';
import { JournalCursor } from '../../../src/store/live/cursor.ts';
import type { JournalSource } from '../../../src/store/live/source.ts';
import type { Claim, ClaimRequest, DeadHolder, JournalStore, Seal, SealResult } from '../../../src/store/ports/journal.ts';
import type { KeptResponseStore } from '../../../src/store/ports/kept-responses.ts';
import type { RecordingPage, RecordingStore } from '../../../src/store/ports/recordings.ts';
import type { ToolCallStore } from '../../../src/store/ports/tool-calls.ts';
import {
  bookAttempt,
  claimFacts,
  endAttempt,
  lastSeqOf,
  loseOpenAttempts,
  noteReattachment,
  startAttempt,
  updateAttempt,
  writeRecording,
} from './attempts.ts';
import { type Connection, isUnsettled, type MemoryDatabase, type StoredTurn, updateTurn } from './database.ts';
import {
  beat,
  fenceLease,
  headOf,
  leaseLeftMs,
  listExpiredLeases,
  listOverdue,
  passOn,
  releaseLease,
  requestSteer,
  takeLease,
} from './leases.ts';
import { writeRows } from './journal-rows.ts';
import { approvalsOf, cutOffToolCalls } from './tool-call-rows.ts';
import { endStep, endToolCall, endToolRound, noteProgress, readToolResult, startToolCall } from './tool-calls.ts';
import { addSpent, readSpending } from './spending.ts';
import { readyNext, recordThrough } from './transcript.ts';
import { oweWebhook } from './webhooks.ts';

export function journalStore(
  connection: Connection,
): JournalStore & KeptResponseStore & ToolCallStore & RecordingStore & { close(): void } {
  const source: JournalSource = {
    readHeads: (ids) =>
      connection.transaction(({ turns }) => new Map(ids.flatMap((id) => [headOf(turns.get(id)) ?? []].flat().map((head) => [id, head])))),
    readRows: (turn, after, limits) =>
      connection.transaction(({ turns }) => {
        const rows = rowsAfter(turns.get(turn), after).slice(0, limits.rows);
        let chars = 0;
        const last = rows.findIndex(({ data }) => (chars += data.length) >= limits.chars);
        return last === -1 ? rows : rows.slice(0, last + 1);
      }),
  };
  const broker = new JournalBroker(source, connection);

  /** A transaction that may write rows of a turn: other processes learn of them when they come to it, this one at once. */
  async function writing<T>(
    turn: string,
    work: (database: MemoryDatabase) => { readonly result: T; readonly rows?: readonly JournalRow[]; readonly isSealed?: boolean },
  ): Promise<T> {
    const {
      result,
      rows,
      isSealed = false,
    } = await connection.transaction((database) => {
      const done = work(database);
      if (done.rows !== undefined) connection.notify(turn);
      return done;
    });
    if (rows !== undefined) broker.announce(turn, rows, isSealed);
    return result;
  }

  return {
    claim: (request) => writing(request.turn, (database) => claim(database, request)),
    beat: (request) => connection.transaction((database) => beat(database, request)),
    requestSteer: (turn) => connection.transaction((database) => requestSteer(database, turn)),
    listOverdue: (query) => connection.transaction((database) => listOverdue(database, query)),
    listExpiredLeases: (query) => connection.transaction((database) => listExpiredLeases(database, query)),
    fence: ((id: string, dead?: DeadHolder) =>
      connection.transaction((database) => {
        const turn = database.requireTurn(id);
        const settled = settledStatusOf(turn.row);
        if (settled !== undefined) return { epoch: -1, settled };
        if (dead !== undefined && (headOf(turn)?.epoch !== dead.epoch || leaseLeftMs(turn) > 0)) return undefined;
        return { epoch: fenceLease(turn) };
      })) as JournalStore['fence'],
    endAttempt: (key, epoch, end) =>
      connection.transaction(({ turns }) => {
        const turn = turns.get(key.turn);
        if (turn === undefined) return;
        endAttempt(turn, key, epoch, end);
        releaseLease(turn, key, epoch, end);
      }),
    readSpending: (turn, before) => connection.transaction((database) => readSpending(database, turn, before)),
    readAttempts: (turn) => connection.transaction(({ turns }) => turns.get(turn)?.attempts ?? []),
    append: (append) =>
      writing(append.turn, (database) => {
        const turn = writeRows(database, append);
        if (turn === undefined) return { result: false };
        if (append.starts !== undefined) startAttempt(turn, append.starts);
        writeRecording(turn, append.recording);
        return { result: true, rows: append.rows };
      }),
    seal: (request) =>
      writing<SealResult>(request.turn, (database) => {
        const result = seal(database, request);
        return result.type === 'sealed' ? { result, rows: request.rows, isSealed: true } : { result };
      }),
    endStep: (step) =>
      writing(step.turn, (database) => {
        const result = endStep(database, step);
        return result === 'ended' ? { result, rows: step.rows } : { result };
      }),
    readHiddenReasoning: (turn) => connection.transaction(({ turns }) => turns.get(turn)?.hidden ?? []),
    readToolCalls: (turn, step) =>
      connection.transaction(({ turns }) => {
        const rows = turns.get(turn)?.toolCalls.map(({ row }) => row) ?? [];
        return rows.filter((row) => step === undefined || row.step === step);
      }),
    readToolResult: (call, piece) => connection.transaction((database) => readToolResult(database, call, piece)),
    readApprovals: (turn) => connection.transaction((database) => approvalsOf(database, turn)),
    startToolCall: (start) => writing(start.turn, (database) => startToolCall(database, start)),
    endToolCall: (end) => writing(end.turn, (database) => endToolCall(database, end)),
    noteProgress: (call, progress) => connection.transaction((database) => noteProgress(database, call, progress)),
    endToolRound: (round) => connection.transaction((database) => endToolRound(database, round)),
    bookKeptResponse: ({ epoch, response, ...key }) =>
      connection.transaction(({ turns }) => {
        const turn = heldBy(turns.get(key.turn), epoch);
        if (turn !== undefined) updateAttempt(turn, key, { keptResponse: response });
        return turn !== undefined && turn.attempts.some(({ keptResponse }) => keptResponse === response);
      }),
    noteReattachment: ({ epoch, reattachment, ...key }) =>
      connection.transaction(({ turns }) => {
        const turn = heldBy(turns.get(key.turn), epoch);
        if (turn !== undefined) noteReattachment(turn, key, reattachment);
      }),
    passOn: ({ epoch, turn: id, step }) =>
      connection.transaction(({ turns }) => {
        const turn = heldBy(turns.get(id), epoch);
        if (turn !== undefined) passOn(turn, step);
      }),
    readJournal: (turn, { after = -1, limit } = {}) =>
      connection.transaction(({ turns }) => rowsAfter(turns.get(turn), after).slice(0, limit)),
    readRecordings: (turn, { after = { epoch: -1, part: -1 }, limit }: Partial<RecordingPage> = {}) =>
      connection.transaction(({ turns }) =>
        (turns.get(turn)?.journal?.recording ?? [])
          .filter(({ epoch, part }) => epoch > after.epoch || (epoch === after.epoch && part > after.part))
          .toSorted((one, other) => one.epoch - other.epoch || one.part - other.part)
          .slice(0, limit),
      ),
    readHead: (turn) => connection.transaction(({ turns }) => headOf(turns.get(turn))),
    follow: (turn, after, signal, onEnd) => new JournalCursor(broker, turn, after, signal, onEnd),
    untilSealed: (turn, signal) => broker.untilSealed(turn, signal),
    close: () => {
      broker.close();
    },
  };
}

function heldBy(turn: StoredTurn | undefined, epoch: number): StoredTurn | undefined {
  return turn?.journal?.epoch === epoch && !turn.journal.isSealed ? turn : undefined;
}

function claim(
  database: MemoryDatabase,
  { turn: id, step, lease, run, away }: ClaimRequest,
): { result: Claim; rows?: readonly JournalRow[] } {
  const turn = database.requireTurn(id);
  const decision = decideClaim(claimFacts(turn, step, away));
  if (decision.type !== 'granted' && decision.type !== 'tools') return { result: decision };
  const kept = decision.type === 'granted' ? decision.response : undefined;
  const lostAttempts = kept === undefined ? loseOpenAttempts(turn, { step }) : 0;
  const { row } = turn;
  const leaseUntilMs = Date.now() + lease.lengthMs;
  const reason = headOf(turn)?.lease === 'none' ? 'worker_shutdown' : 'worker_lost';
  const epoch = takeLease(turn, step, lease);
  if (decision.type === 'granted') {
    const key = { turn: id, step, attempt: decision.attempt };
    if (kept === undefined) bookAttempt(turn, key, { epoch, holder: lease.holder, runId: run?.runId });
    else {
      updateAttempt(turn, key, { epoch, holder: lease.holder });
      noteReattachment(turn, key, { atMs: Date.now(), reason });
    }
  }
  if (run !== undefined) updateTurn(turn, run);
  const readySinceMs = Date.now() - (row.readyAtMs ?? row.createdAtMs);
  const granted = { ...decision, epoch, leaseUntilMs, lostAttempts, turn: row, readySinceMs };
  const known = rowsAfter(turn, -1).map(({ data }) => JSON.parse(data) as ResponseEvent);
  // It has shown something.
  if (known.length > openingRows) return { result: granted };
  const begun = ResponseStream.replay(known).begin();
  const rows = begun.map(journalRowOf);
  if (rows.length > 0) writeRows(database, { turn: id, epoch, rows });
  updateTurn(turn, { status: 'in_progress' });
  return { result: { ...granted, events: [...known, ...begun] }, rows };
}

/** Created, queued, in progress. */
const openingRows = 3;

function seal(database: MemoryDatabase, request: Seal): SealResult {
  const { isStored, output, settled, retryAtMs = null, usage, rows, attempt, winsOverCancel, hidden = [] } = request;
  const isCancelRequested = database.turns.get(request.turn)?.row.cancelRequestedAtMs != null;
  if (!winsOverCancel && isCancelRequested) return { type: 'cancel_requested' };
  const before = database.turns.get(request.turn);
  const lastSeq = before === undefined ? -1 : lastSeqOf(before);
  const turn = writeRows(database, request);
  if (turn?.journal === undefined) return { type: 'refused' };
  turn.journal = { ...turn.journal, isSealed: true, lease: undefined, due: undefined };
  recordThrough(database, turn);
  if (isStored) turn.output = output;
  if (isStored) turn.hidden = [...(turn.hidden ?? []), ...hidden];
  turn.response = responseOf(rows);
  const errorCode = isFailureCode(settled.code) ? settled.code : null;
  const settledAtMs = Date.now();
  updateTurn(turn, { status: settled.status, errorCode, settledAtMs, retryAtMs, usage });
  if (attempt !== undefined) endAttempt(turn, attempt, request.epoch, attempt.end, lastSeq);
  const stops = turn.attempts.flatMap(({ endedAtMs, keptResponse }) => (endedAtMs === undefined && keptResponse ? [keptResponse.id] : []));
  const lostAttempts = loseOpenAttempts(turn, { lastSeq });
  cutOffToolCalls(database, turn);
  addSpent(database, turn);
  const next = readyNext(database, turn);
  const owesWebhook = oweWebhook(turn, settled.status, settledAtMs);
  const children = database.turnsWhere((each) => each.row.parent?.turn === turn.row.id && isUnsettled(each));
  for (const child of children) updateTurn(child, { cancelRequestedAtMs: child.row.cancelRequestedAtMs ?? settledAtMs });
  return {
    type: 'sealed',
    lostAttempts,
    ...(stops.length === 0 ? {} : { stops }),
    ...(next === undefined ? {} : { next }),
    ...(owesWebhook ? { owesWebhook: true } : {}),
    ...(children.length === 0 ? {} : { cancels: children.map(({ row }) => row.id) }),
  };
}

/** The last event has it. */
function responseOf(rows: readonly JournalRow[]): ResponseObject | undefined {
  const last = rows.at(-1);
  return last && (JSON.parse(last.data) as { readonly response?: ResponseObject }).response;
}

function rowsAfter(turn: StoredTurn | undefined, after: number): readonly JournalRow[] {
  return turn?.journal?.rows.slice(Math.max(0, after + 1)) ?? [];
}

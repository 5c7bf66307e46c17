/** The store by works: what all drivers that speak SQL have in common. */
import { JournalBroker } from '../live/broker.ts';
import { JournalCursor } from '../live/cursor.ts';
import type { ChangeSignal } from '../live/source.ts';
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { NewBranch, NewSession } from '../../domain/turn/session.ts';
import type { Append, DeadHolder } from '../ports/journal.ts';
import type { RetentionCursor, Store } from '../ports/store.ts';
import { insertTurn } from './admission.ts';
import { Acknowledgements } from './acknowledge.ts';
import * as attempts from './attempts.ts';
import * as breakers from './breakers.ts';
import * as completions from './completions.ts';
import { readInput, readInputCursor, readInputPage } from './item-rows.ts';
import * as items from './items.ts';
import { readHiddenReasoning } from './hidden-reasoning.ts';
import * as keptResponses from './kept-responses.ts';
import * as keys from './keys.ts';
import * as leases from './leases.ts';
import * as journal from './journal.ts';
import { journalSource } from './journal-source.ts';
import { readRecordings } from './recordings.ts';
import * as retention from './retention.ts';
import * as sessions from './sessions.ts';
import { makeStrandedReady, readChain, readTranscript } from './transcript.ts';
import { listTurns } from './turn-list.ts';
import { readSpending } from './spending.ts';
import { readCounted } from './turn-stats.ts';
import * as toolCalls from './tool-calls.ts';
import * as turns from './turns.ts';
import * as viewers from './viewers.ts';
import * as webhooks from './webhooks.ts';

import type { SqlDatabase } from './work.ts';

export interface SqlDriver {
  readonly db: SqlDatabase;
  readonly signal: ChangeSignal;
  /** See `Store.databaseId`. */
  readonly databaseId: string;
  /** This process has committed rows of a journal, up to this one: for a driver whose signal does not see that by itself. */
  readonly notify?: (turn: string, last: number) => void;
  /** Instead of a commit for each. */
  readonly append?: (append: Append) => Promise<boolean>;
  /** Which journals the driver drops all at once: before anything is that is past retention. */
  readonly beforeExpire?: (beforeMs: number) => Promise<Pick<RetentionCursor, 'wholeRanges' | 'brokenRanges'>>;
  /** All that is past retention is hidden, or deleted: what is hidden as a whole can be dropped. */
  readonly afterExpire?: (beforeMs: number) => Promise<void>;
  /** More may have been dropped; `isDone`: there was nothing more to be dropped. */
  readonly afterPurge?: (isDone: boolean) => void;
  /** See `Store.readUpkeep`. */
  readonly readUpkeep?: Store['readUpkeep'];
  /** See `Store.probe`. */
  readonly probe: () => Promise<void>;
  /** Behind all that was asked for before. */
  readonly close: () => Promise<void>;
}

export function createSqlStore({
  db,
  signal,
  databaseId,
  notify,
  append: appendOf,
  beforeExpire,
  afterExpire,
  afterPurge,
  readUpkeep,
  probe,
  close,
}: SqlDriver): Store {
  const broker = new JournalBroker(journalSource(db), signal);
  const acknowledgements = new Acknowledgements(db);
  const announce = (turn: string, rows: readonly JournalRow[], isSealed: boolean): void => {
    broker.announce(turn, rows, isSealed);
    const last = rows.at(-1);
    if (last !== undefined) notify?.(turn, last.seq);
  };
  const write = appendOf ?? ((append: Append) => journal.append(db, append));

  return {
    databaseId,

    claim: async (request) => {
      const { rows, ...claim } = await journal.claim(db, request);
      if (rows !== undefined) announce(request.turn, rows, false);
      return claim;
    },
    beat: (beat) => leases.beat(db, beat),
    requestSteer: (turn) => leases.requestSteer(db, turn),
    listOverdue: (query) => db.read(() => leases.listOverdue(query)),
    listExpiredLeases: (query) => leases.listExpiredLeases(db, query),
    fence: (async (turn: string, dead?: DeadHolder) => journal.fence(db, turn, dead)) as Store['fence'],
    endAttempt: (attempt, epoch, end) => journal.releaseAttempt(db, attempt, epoch, end),
    readAttempts: (turn) => db.read(() => attempts.readAttempts(turn)),
    append: async (append) => {
      const isWritten = await write(append);
      if (isWritten) announce(append.turn, append.rows, false);
      return isWritten;
    },
    seal: async (seal) => {
      const result = await journal.seal(db, seal);
      if (result.type === 'sealed') announce(seal.turn, seal.rows, true);
      return result;
    },
    endStep: async (step) => {
      const result = await toolCalls.endStep(db, step);
      if (result === 'ended') announce(step.turn, step.rows, false);
      return result;
    },
    readHiddenReasoning: (turn) => db.read(() => readHiddenReasoning(turn)),
    readToolCalls: (turn, step) => db.read(() => toolCalls.readToolCalls(turn, step)),
    readToolResult: (call, piece) => db.read(() => toolCalls.readToolResult(call, piece)),
    readApprovals: (turn) => db.read(() => toolCalls.readApprovals(turn)),
    startToolCall: async (start) => {
      const isBooked = await toolCalls.startToolCall(db, start);
      if (isBooked && start.shown !== undefined) announce(start.turn, start.shown.rows, false);
      return isBooked;
    },
    endToolCall: async (end) => {
      const isWritten = await toolCalls.endToolCall(db, end);
      if (isWritten) announce(end.turn, end.rows, false);
      return isWritten;
    },
    noteProgress: (call, progress) => toolCalls.noteProgress(db, call, progress),
    bookKeptResponse: (booking) => keptResponses.bookKeptResponse(db, booking),
    noteReattachment: (note) => keptResponses.noteReattachment(db, note),
    passOn: (attempt) => keptResponses.passOn(db, attempt),
    endToolRound: (round) => toolCalls.endToolRound(db, round),
    readJournal: (turn, { after = -1, limit = -1 } = {}) => db.read(() => journal.readJournal(turn, after, limit)),
    readSpending: (turn, before) => db.read(() => readSpending(turn, before)),
    readHead: (turn) => db.read(() => journal.readHead(turn)),
    follow: (turn, after, signal, onEnd) => new JournalCursor(broker, turn, after, signal, onEnd),
    untilSealed: (turn, signal) => broker.untilSealed(turn, signal),

    insertTurn: async (turn) => insertTurn(db, turn),
    readTurn: (id) => db.read(() => turns.readTurn(id)),
    findTurn: (tenant, id) => db.read(() => turns.findTurn(tenant, id)),
    findModels: (tenant, ids) => turns.findModels(db, tenant, ids),
    readInput: (turn) => readInput(db, turn),
    readInputPage: (turn, page) => readInputPage(db, turn, page),
    readInputCursor: (turn, page, last) => db.read(() => readInputCursor(turn, page, last)),
    readResponse: (turn) => db.read(() => turns.readResponse(turn)),
    readChain: (leaf, page) => readChain(db, leaf, page),
    listTurns: (tenant, query) => listTurns(db, tenant, query),
    readCounted: (tenant, query) => readCounted(db, tenant, query),
    readChildren: (turn) => db.read(() => turns.readChildren(turn)),
    listUnsettledOf: (tenant, session) => db.read(() => turns.listUnsettledOf(tenant, session)),
    markDispatched: (runs) => turns.markDispatched(db, runs),
    listUndispatched: (query) => db.read(() => turns.listUndispatched(query)),
    makeStrandedReady: () => makeStrandedReady(db),
    listUnattended: (query) => db.read(() => turns.listUnattended(query)),
    readTranscript: (turn, options) => readTranscript(db, turn, options),
    requestCancel: async (tenant, id, atMs) => turns.requestCancel(db, tenant, id, atMs),
    listStuckCancels: (query) => db.read(() => turns.listStuckCancels(query)),
    acknowledge: (turn) => acknowledgements.add(turn),
    retractAcknowledgement: (turn) => acknowledgements.retract(turn),
    countEnded: (tenant, withinMs) => db.read(() => turns.countEnded(tenant, withinMs)),
    counts: () => db.read(() => turns.counts()),

    findCompletion: (tenant, id) => db.read(() => completions.findCompletion(tenant, id)),
    listCompletions: (tenant, query) => completions.listCompletions(db, tenant, query),
    updateCompletion: (tenant, id, metadata) => completions.updateCompletion(db, tenant, id, metadata),

    createSession: (async (session: NewSession | NewBranch) => sessions.createSession(db, session)) as Store['createSession'],
    openSession: async (session, name) => sessions.openSession(db, session, name),
    findSession: (tenant, name) => db.read(() => sessions.findSession(tenant, name)),
    readSession: (tenant, id) => db.read(() => sessions.readSession(tenant, id)),
    listSessions: (tenant, page) => db.read(() => sessions.listSessions(tenant, page)),
    updateSession: async (tenant, id, metadata) => sessions.updateSession(db, tenant, id, metadata),
    deleteSession: async (tenant, id) => sessions.deleteSession(db, tenant, id),
    readSessionItems: (session, page) => items.readSessionItems(db, session, page),
    readTurnsOfItems: (session, ids) => db.read(() => items.readTurnsOfItems(session, ids)),
    readSessionCursor: (session, page, last) => db.read(() => items.readSessionCursor(session, page, last)),
    readSessionItem: (session, item) => db.read(() => items.readSessionItem(session, item)),
    addItems: async (turn) => items.addItems(db, turn),
    deleteSessionItem: async (session, item) => items.deleteSessionItem(db, session, item),
    findItems: (tenant, ids, maxChars) => items.findItems(db, tenant, ids, maxChars),
    findUnknownCall: (tenant, leaf, callIds) => items.findUnknownCall(db, tenant, leaf, callIds),
    listUntitled: (limit) => db.read(() => sessions.listUntitled(limit)),
    markTitleStarted: (session) => sessions.markTitleStarted(db, session),
    bookTitleRequest: (session) => sessions.bookTitleRequest(db, session),
    releaseTitleRequest: (session) => sessions.releaseTitleRequest(db, session),
    setTitle: (session, title) => sessions.setTitle(db, session, title),

    listUnstartedWebhooks: (limit) => db.read(() => webhooks.listUnstartedWebhooks(limit)),
    markWebhookStarted: (turn) => webhooks.markWebhookStarted(db, turn),
    readWebhook: (turn) => db.read(() => webhooks.readWebhook(turn)),
    noteWebhook: (turn, note) => webhooks.noteWebhook(db, turn, note),

    noteViewers: (rows) => viewers.noteViewers(db, rows),
    readViewers: (turn) => db.read(() => viewers.readViewers(turn)),
    readRecordings: (turn, page) => db.read(() => readRecordings(turn, page)),

    readBreakers: () => db.read(breakers.readBreakers, true),
    tripBreaker: (failed) => breakers.tripBreaker(db, failed),
    probeBreaker: (key) => breakers.probeBreaker(db, key),
    closeBreaker: (key) => breakers.closeBreaker(db, key),
    createKey: (key) => keys.createKey(db, key),
    findKey: (hash) => db.read(() => keys.findKey(hash)),
    listKeys: (tenant) => db.read(() => keys.listKeys(tenant)),
    rotateKey: (rotation) => keys.rotateKey(db, rotation),
    revokeKey: (id, atMs) => keys.revokeKey(db, id, atMs),
    noteKeyUse: (id, atMs) => keys.noteKeyUse(db, id, atMs),
    useCodecKey: (ring) => keys.useCodecKey(db, ring),
    forgetCodecKey: () => keys.forgetCodecKey(db),

    lead: (task, lease) => retention.lead(db, task, lease),
    deleteTurn: async (tenant, id, atMs) => retention.deleteTurn(db, tenant, id, atMs),
    purgeUnstored: async (cut) => {
      const purged = await retention.purgeUnstored(db, cut);
      afterPurge?.(purged === 0);
      return purged;
    },
    expire: async (cut, from) => {
      const next = await retention.expire(db, cut, from ?? { phase: 'sessions', ...(await beforeExpire?.(cut.beforeMs)) });
      if (next === undefined) await afterExpire?.(cut.beforeMs);
      return next;
    },

    ...(readUpkeep === undefined ? {} : { readUpkeep }),
    probe,
    close: async () => {
      broker.close();
      void acknowledgements.flush().catch(() => undefined);
      await close();
    },
  };
}

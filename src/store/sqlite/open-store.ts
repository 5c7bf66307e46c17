/** The embedded driver: `node:sqlite`, one file, several processes. The default. */
import { JournalBroker } from '../live/broker.ts';
import { JournalCursor } from '../live/cursor.ts';
import type { JournalSource } from '../live/source.ts';
import type { DeadHolder } from '../ports/journal.ts';
import type { Store } from '../ports/store.ts';
import { insertTurn } from './admission.ts';
import { Acknowledgements } from './acknowledge.ts';
import * as attempts from './attempts.ts';
import * as completions from './completions.ts';
import { Database } from './database.ts';
import { readInput, readInputCursor, readInputPage } from './item-rows.ts';
import * as items from './items.ts';
import { readHiddenReasoning } from './hidden-reasoning.ts';
import * as keptResponses from './kept-responses.ts';
import * as leases from './leases.ts';
import * as journal from './journal.ts';
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

/**
 * @param path of the database file; its folder is made if need be. Throws when it cannot be opened or is newer than this code.
 * @example
 *     import { openSqliteStore } from 'turnkeep/client';
 *
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     await store.close();
 */
export function openSqliteStore(path: string): Store {
  const db = new Database(path);
  const source: JournalSource = {
    readHead: async (turn) => journal.readHead(db, turn),
    readRows: async (turn, after, limits) => journal.readRows(db, turn, after, limits),
  };
  const broker = new JournalBroker(source, db);
  const acknowledgements = new Acknowledgements(db);

  return {
    databaseId: db.id,

    claim: async (request) => {
      const { rows, ...claim } = await journal.claim(db, request);
      if (rows !== undefined) broker.announce(request.turn, rows, false);
      return claim;
    },
    beat: (beat) => leases.beat(db, beat),
    requestSteer: (turn) => leases.requestSteer(db, turn),
    listOverdue: async (query) => leases.listOverdue(db, query),
    listExpiredLeases: (query) => leases.listExpiredLeases(db, query),
    fence: (async (turn: string, dead?: DeadHolder) => journal.fence(db, turn, dead)) as Store['fence'],
    endAttempt: (attempt, epoch, end) => journal.releaseAttempt(db, attempt, epoch, end),
    readAttempts: async (turn) => attempts.readAttempts(db, turn),
    append: async (append) => {
      const isWritten = await journal.append(db, append);
      if (isWritten) broker.announce(append.turn, append.rows, false);
      return isWritten;
    },
    seal: async (seal) => {
      const result = await journal.seal(db, seal);
      if (result.type === 'sealed') broker.announce(seal.turn, seal.rows, true);
      return result;
    },
    endStep: async (step) => {
      const result = await toolCalls.endStep(db, step);
      if (result === 'ended') broker.announce(step.turn, step.rows, false);
      return result;
    },
    readHiddenReasoning: async (turn) => readHiddenReasoning(db, turn),
    readToolCalls: async (turn, step) => toolCalls.readToolCalls(db, turn, step),
    readToolResult: async (call, piece) => toolCalls.readToolResult(db, call, piece),
    readApprovals: async (turn) => toolCalls.readApprovals(db, turn),
    startToolCall: async (start) => {
      const isBooked = await toolCalls.startToolCall(db, start);
      if (isBooked && start.shown !== undefined) broker.announce(start.turn, start.shown.rows, false);
      return isBooked;
    },
    endToolCall: async (end) => {
      const isWritten = await toolCalls.endToolCall(db, end);
      if (isWritten) broker.announce(end.turn, end.rows, false);
      return isWritten;
    },
    noteProgress: (call, progress) => toolCalls.noteProgress(db, call, progress),
    bookKeptResponse: (booking) => keptResponses.bookKeptResponse(db, booking),
    noteReattachment: (note) => keptResponses.noteReattachment(db, note),
    passOn: (attempt) => keptResponses.passOn(db, attempt),
    endToolRound: (round) => toolCalls.endToolRound(db, round),
    readJournal: async (turn, { after = -1, limit = -1 } = {}) => journal.readJournal(db, turn, after, limit),
    readSpending: async (turn, before) => readSpending(db, turn, before),
    readHead: (turn) => source.readHead(turn),
    follow: (turn, after, signal, onEnd) => new JournalCursor(broker, turn, after, signal, onEnd),
    untilSealed: (turn, signal) => broker.untilSealed(turn, signal),

    insertTurn: async (turn) => insertTurn(db, turn),
    readTurn: async (id) => turns.readTurn(db, id),
    findTurn: async (tenant, id) => turns.findTurn(db, tenant, id),
    findModels: (tenant, ids) => turns.findModels(db, tenant, ids),
    readInput: (turn) => readInput(db, turn),
    readInputPage: (turn, page) => readInputPage(db, turn, page),
    readInputCursor: async (turn, page, last) => readInputCursor(db, turn, page, last),
    readResponse: async (turn) => turns.readResponse(db, turn),
    readChain: (leaf, page) => readChain(db, leaf, page),
    listTurns: (tenant, query) => listTurns(db, tenant, query),
    readCounted: (tenant, query) => readCounted(db, tenant, query),
    readChildren: async (turn) => turns.readChildren(db, turn),
    listUnsettledOf: async (tenant, session) => turns.listUnsettledOf(db, tenant, session),
    markDispatched: (runs) => turns.markDispatched(db, runs),
    listUndispatched: async (query) => turns.listUndispatched(db, query),
    makeStrandedReady: () => makeStrandedReady(db),
    listUnattended: async (query) => turns.listUnattended(db, query),
    readTranscript: (turn, options) => readTranscript(db, turn, options),
    requestCancel: async (tenant, id, atMs) => turns.requestCancel(db, tenant, id, atMs),
    listStuckCancels: async (query) => turns.listStuckCancels(db, query),
    acknowledge: (turn) => acknowledgements.add(turn),
    retractAcknowledgement: (turn) => acknowledgements.retract(turn),
    counts: async () => turns.counts(db),

    findCompletion: async (tenant, id) => completions.findCompletion(db, tenant, id),
    listCompletions: (tenant, query) => completions.listCompletions(db, tenant, query),
    updateCompletion: (tenant, id, metadata) => completions.updateCompletion(db, tenant, id, metadata),

    createSession: async (session) => sessions.createSession(db, session),
    openSession: async (session, name) => sessions.openSession(db, session, name),
    findSession: async (tenant, name) => sessions.findSession(db, tenant, name),
    readSession: async (tenant, id) => sessions.readSession(db, tenant, id),
    listSessions: async (tenant, page) => sessions.listSessions(db, tenant, page),
    updateSession: async (tenant, id, metadata) => sessions.updateSession(db, tenant, id, metadata),
    deleteSession: async (tenant, id) => sessions.deleteSession(db, tenant, id),
    readSessionItems: (session, page) => items.readSessionItems(db, session, page),
    readTurnsOfItems: async (session, ids) => items.readTurnsOfItems(db, session, ids),
    readSessionCursor: async (session, page, last) => items.readSessionCursor(db, session, page, last),
    readSessionItem: async (session, item) => items.readSessionItem(db, session, item),
    addItems: async (turn) => items.addItems(db, turn),
    deleteSessionItem: async (session, item) => items.deleteSessionItem(db, session, item),
    findItems: (tenant, ids, maxChars) => items.findItems(db, tenant, ids, maxChars),
    findUnknownCall: (tenant, leaf, callIds) => items.findUnknownCall(db, tenant, leaf, callIds),
    listUntitled: async (limit) => sessions.listUntitled(db, limit),
    markTitleStarted: (session) => sessions.markTitleStarted(db, session),
    bookTitleRequest: (session) => sessions.bookTitleRequest(db, session),
    releaseTitleRequest: (session) => sessions.releaseTitleRequest(db, session),
    setTitle: (session, title) => sessions.setTitle(db, session, title),

    listUnstartedWebhooks: async (limit) => webhooks.listUnstartedWebhooks(db, limit),
    markWebhookStarted: (turn) => webhooks.markWebhookStarted(db, turn),
    readWebhook: async (turn) => webhooks.readWebhook(db, turn),
    noteWebhook: (turn, note) => webhooks.noteWebhook(db, turn, note),

    noteViewers: (rows) => viewers.noteViewers(db, rows),
    readViewers: async (turn) => viewers.readViewers(db, turn),
    readRecordings: async (turn, page) => readRecordings(db, turn, page),

    lead: (task, lease) => retention.lead(db, task, lease),
    deleteTurn: async (tenant, id, atMs) => retention.deleteTurn(db, tenant, id, atMs),
    purgeUnstored: (cut) => retention.purgeUnstored(db, cut),
    expire: (cut, from) => retention.expire(db, cut, from),

    probe: async () => {
      // A change that changes nothing, and is written all the same: a full disk shows.
      await db.commit('quick', () => db.run(`PRAGMA user_version = ${Number(db.one('PRAGMA user_version')?.['user_version'])}`));
    },
    close: async () => {
      broker.close();
      void acknowledgements.flush().catch(() => undefined);
      db.close();
    },
  };
}

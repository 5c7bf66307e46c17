/** The embedded driver: `node:sqlite`, one file, several processes. The default. */
import type { Append, Seal, Store } from '../ports/store.ts';
import { readTranscript } from './chain.ts';
import { counts, newestSeq } from './counts.ts';
import { Database } from './database.ts';
import * as erase from './erase.ts';
import { insertTurn, recordInput } from './admission.ts';
import { findItems } from './items.ts';
import { JournalCursor } from '../live/cursor.ts';
import * as journal from './journal.ts';
import * as sessionItems from './session-items.ts';
import * as sessions from './sessions.ts';
import { JournalBroker } from '../live/broker.ts';
import * as turns from './turns.ts';

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
  const tail = new JournalBroker(db);

  /** Whoever waits in this process is woken by whatever this process writes. */
  function announced({ turn, rows }: Append | Seal, hasWritten: boolean, isSealed: boolean): boolean {
    if (hasWritten) tail.announce(turn, rows, isSealed);
    return hasWritten;
  }

  return {
    createSession: async (session) => sessions.createSession(db, session),
    openSession: async (session, name) => sessions.openSession(db, session, name),
    findSession: async (tenant, name) => sessions.findSession(db, tenant, name),
    readSession: async (tenant, id) => sessions.readSession(db, tenant, id),
    listSessions: async (tenant, page) => sessions.listSessions(db, tenant, page),
    updateSession: async (tenant, id, metadata) => sessions.updateSession(db, tenant, id, metadata),
    deleteSession: async (tenant, id) => sessions.deleteSession(db, tenant, id),
    readSessionItems: async (session, page) => sessionItems.readSessionItems(db, session, page),
    readSessionItem: async (session, item) => sessionItems.readSessionItem(db, session, item),
    addItems: async (turn) => sessionItems.addItems(db, turn),
    deleteSessionItem: async (session, item) => sessionItems.deleteSessionItem(db, session, item),
    findItems: async (tenant, ids) => findItems(db, tenant, ids),
    hasCall: async (leaf, callId) => sessionItems.hasCall(db, leaf, callId),
    listUntitled: async (limit) => sessions.listUntitled(db, limit),
    markTitleStarted: async (session) => {
      db.commit('quick', () => db.run('UPDATE sessions SET title_started = 1 WHERE id = ?', session));
    },
    setTitle: async (session, title) => {
      sessions.setTitle(db, session, title);
    },

    insertTurn: async (turn) => insertTurn(db, turn),
    readTurn: async (id) => turns.readTurn(db, id),
    findTurn: async (tenant, id) => turns.findTurn(db, tenant, id),
    listUnsettledOf: async (tenant, session) => turns.listUnsettledOf(db, tenant, session),
    markDispatched: async (turn) => {
      db.commit('quick', () => db.run('UPDATE turns SET submitted = 1 WHERE id = ?', turn));
    },
    acknowledge: async (turn) => {
      const isNews = 'id = ? AND settled_at IS NOT NULL AND delivered = 0';
      // A thousand viewers get the end at once; the first one's write is enough.
      if (db.one(`SELECT 1 FROM turns WHERE ${isNews}`, turn) === undefined) return;
      db.commit('quick', () => db.run(`UPDATE turns SET delivered = 1 WHERE ${isNews}`, turn));
    },
    deleteTurn: async (tenant, id, atMs) => erase.deleteTurn(db, tenant, id, atMs),
    listUnfinished: async (query) => turns.listUnfinished(db, query),
    listUndispatchedBefore: async (turn) => turns.listUnsubmittedBefore(db, turn),
    recordInput: async (turn) => recordInput(db, turn),
    readTranscript: (turn) => readTranscript(db, turn),
    requestCancel: async (tenant, id, atMs) => turns.requestCancel(db, tenant, id, atMs),
    listStuckCancels: async (acceptedBeforeMs, limit) => turns.listStuckCancels(db, acceptedBeforeMs, limit),
    purgeUnstored: async (cut) => erase.purgeUnstored(db, cut),
    expire: async (cut) => erase.expire(db, cut),

    claim: async (request) => journal.claim(db, request),
    fence: async (turn) => journal.fence(db, turn),
    hasStarted: async (turn, step) => journal.hasStarted(db, turn, step),
    endAttempt: async (attempt, end) => {
      db.commit('quick', () => {
        journal.endAttempt(db, attempt, end);
      });
    },
    readAttempts: async (turn) => journal.readAttempts(db, turn),
    append: async (append) => announced(append, journal.append(db, append), false),
    seal: async (seal) => announced(seal, journal.seal(db, seal), true),
    readJournal: async (turn, { after = -1, limit = -1 } = {}) => journal.readJournal(db, turn, after, limit),
    readHead: async (turn) => journal.readHead(db, turn),
    follow: (turn, after, signal) => new JournalCursor(db, tail, turn, after, signal),

    counts: async () => counts(db),
    newestSeq: async (turn) => newestSeq(db, turn),

    probe: async () => {
      db.commit('quick', () => db.run(`UPDATE journal_head SET epoch = epoch WHERE turn = ''`));
    },
    close: async () => {
      tail.close();
      db.close();
    },
  };
}

/** The embedded driver: `node:sqlite`, one file, several processes. The default. */
import type { Append, Seal, Store } from './store.ts';
import { Database } from './sqlite/database.ts';
import { Following } from './sqlite/follow.ts';
import * as journal from './sqlite/journal.ts';
import { Tail } from './sqlite/tail.ts';
import * as turns from './sqlite/turns.ts';

/** @param path of the database file; its folder is made if need be. Throws when it cannot be opened or is newer than this code. */
export function openSqliteStore(path: string): Store {
  const db = new Database(path);
  const tail = new Tail(db);

  /** Whoever waits in this process is woken by whatever this process writes. */
  function announced({ turn, rows }: Append | Seal, hasWritten: boolean, isSealed: boolean): boolean {
    if (hasWritten) tail.announce(turn, rows, isSealed);
    return hasWritten;
  }

  return {
    createSession: async (session) => turns.createSession(db, session),
    readSession: async (tenant, id) => turns.readSession(db, tenant, id),
    readSessionItems: async (session, page) => turns.readSessionItems(db, session, page),

    hasSessionItem: async (session, item) => turns.hasSessionItem(db, session, item),

    insertTurn: async (turn) => turns.insertTurn(db, turn),
    readTurn: async (id) => turns.readTurn(db, id),
    findTwin: async (twin) => turns.findTwin(db, twin),
    markSubmitted: async (turn) => {
      db.commit('quick', () => db.run('UPDATE turns SET submitted = 1 WHERE id = ?', turn));
    },
    markDelivered: async (turn) => {
      const isNews = 'id = ? AND settled_at IS NOT NULL AND delivered = 0';
      // A thousand viewers get the end at once; the first one's write is enough.
      if (db.one(`SELECT 1 FROM turns WHERE ${isNews}`, turn) === undefined) return;
      db.commit('quick', () => db.run(`UPDATE turns SET delivered = 1 WHERE ${isNews}`, turn));
    },
    listUnsettled: async (query) => turns.listUnsettled(db, query),
    recordInput: async (turn) => turns.recordInput(db, turn),
    readTranscript: async (turn) => turns.readTranscript(db, turn),
    requestCancel: async (turn, atMs) =>
      db.commit('quick', () => {
        const sql = 'UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ? AND settled_at IS NULL';
        return db.run(sql, atMs, turn) > 0;
      }),

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
    follow: (turn, after, signal) => new Following(db, tail, turn, after, signal),

    probe: async () => {
      db.commit('quick', () => db.run('UPDATE journal_head SET epoch = epoch WHERE turn IS NULL'));
    },
    close: async () => {
      tail.close();
      db.close();
    },
  };
}

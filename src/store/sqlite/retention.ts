/** What is dropped: turns their owner deletes, what was not to be stored, and all that is past retention. */
import type { RetentionCut, UnstoredCut } from '../ports/retention.ts';
import type { Database } from './database.ts';
import { text } from './rows.ts';
import { readByPublicId } from './turns.ts';

export async function deleteTurn(db: Database, tenant: string, publicId: string, atMs: number): Promise<boolean> {
  return db.commit('durable', () => {
    const turn = readByPublicId(db, tenant, publicId);
    if (turn === undefined || turn.settledAtMs === null) return false;
    const { id } = turn;
    // Its items are also those of its session, and of whatever goes on from it.
    const isPast = turn.session !== null || db.one('SELECT 1 FROM turns WHERE previous = ? LIMIT 1', id) !== undefined;
    erase(db, id, atMs, 'owner');
    if (!isPast) db.run('DELETE FROM items WHERE turn = ?', id);
    return true;
  });
}

/** What was kept for a while only: early cancels, and the turns that were not to be stored and have ended: those whose end a client got, and those nobody came back for. */
export async function purgeUnstored(db: Database, cut: UnstoredCut): Promise<number> {
  const purged = await db.commit('quick', () => {
    const rows = db.all(
      `SELECT id FROM turns WHERE stored = 0 AND recorded = 1
         AND (settled_at < ? OR (acknowledged = 1 AND settled_at < ?)) LIMIT 200`,
      cut.settledBeforeMs,
      cut.acknowledgedBeforeMs,
    );
    for (const row of rows) dropTurn(db, text(row['id']));
    db.run('DELETE FROM early_cancels WHERE at < ?', cut.settledBeforeMs);
    return rows.length;
  });
  // What they held is in the write-ahead log as well, until that is cut.
  db.truncateLog(purged > 0);
  return purged;
}

/** One round of what is past retention. How many rows it took: 0 when there is nothing left. */
export async function expire(db: Database, { beforeMs, atMs, limit }: RetentionCut): Promise<number> {
  return db.commit('quick', () => {
    const journals = db.all(
      `SELECT id FROM turns JOIN journal_head ON journal_head.turn = turns.id WHERE settled_at < ? AND erased_by IS NOT 'retention' LIMIT ?`,
      beforeMs,
      limit,
    );
    for (const row of journals) dropJournal(db, text(row['id']));
    const sessions = db.run(
      `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE touched_at < ?
         AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.tenant = sessions.tenant AND turns.session = sessions.id AND settled_at IS NULL)
         AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.id = sessions.leaf AND settled_at >= ?) LIMIT ?)`,
      beforeMs,
      beforeMs,
      limit,
    );
    // The past of a turn that is kept is kept with it.
    const turns = db.all(
      `SELECT id, erased_by FROM turns WHERE settled_at < ? AND erased_by IS NOT 'retention' AND recorded = 1
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE leaf = turns.id)
         AND NOT EXISTS (SELECT 1 FROM turns AS next WHERE next.previous = turns.id AND next.erased_by IS NOT 'retention')
       LIMIT ?`,
      beforeMs,
      limit,
    );
    for (const row of turns) {
      const id = text(row['id']);
      // For its owner it is gone already: what was left are the items that others went on from.
      if (row['erased_by'] === 'owner') dropTurn(db, id);
      else {
        erase(db, id, atMs, 'retention');
        for (const table of ['items', 'attempts']) db.run(`DELETE FROM ${table} WHERE turn = ?`, id);
      }
    }
    // A stub says that there was a turn (410); it goes after as long again.
    const stubs = db.all(`SELECT id FROM turns WHERE erased_by = 'retention' AND erased_at < ? LIMIT ?`, beforeMs, limit);
    for (const row of stubs) dropTurn(db, text(row['id']));
    return journals.length + sessions + turns.length + stubs.length;
  });
}

function erase(db: Database, id: string, atMs: number, by: 'owner' | 'retention'): void {
  dropJournal(db, id);
  db.run(
    `UPDATE turns SET erased_at = ?, erased_by = ?, input = '[]', response = NULL, usage = NULL,
       settings = json_object('model', '', 'metadata', json_object()) WHERE id = ?`,
    atMs,
    by,
    id,
  );
}

/** All of it, and the branch it began: whatever stood in that is gone too. */
function dropTurn(db: Database, id: string): void {
  dropJournal(db, id);
  for (const table of ['items', 'attempts']) db.run(`DELETE FROM ${table} WHERE turn = ?`, id);
  db.run('DELETE FROM branches WHERE id = ?', id);
  db.run('DELETE FROM turns WHERE id = ?', id);
}

function dropJournal(db: Database, id: string): void {
  db.run('DELETE FROM journal WHERE turn = ?', id);
  db.run('DELETE FROM journal_head WHERE turn = ?', id);
}

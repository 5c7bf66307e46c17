/**
 * Notes that clients have the ends of turns: all that come in one tick of the event loop, a thousand viewers of one turn too,
 * are one commit. No longer: the client's next request, with the same words, is a new message.
 */
import { one, run, type SqlDatabase } from './work.ts';

export class Acknowledgements {
  readonly #db: SqlDatabase;
  #turns = new Set<string>();
  #written: Promise<ReadonlySet<string>> | undefined;

  constructor(db: SqlDatabase) {
    this.#db = db;
  }

  /** See `TurnStore.acknowledge`. Resolves once it is committed. */
  async add(turn: string): Promise<boolean> {
    const isFirst = !this.#turns.has(turn);
    this.#turns.add(turn);
    this.#written ??= new Promise((resolve) => {
      setImmediate(resolve);
    }).then(async () => this.flush());
    const news = await this.#written;
    return isFirst && news.has(turn);
  }

  /** See `TurnStore.retractAcknowledgement`. */
  async retract(turn: string): Promise<void> {
    await this.#db.commit('quick', () => run('UPDATE turns SET acknowledged = 0 WHERE id = ? AND acknowledged = 1', turn));
  }

  /** Commits what has come so far. Resolves with those that were not known before. */
  async flush(): Promise<ReadonlySet<string>> {
    const acknowledged = this.#turns;
    this.#turns = new Set();
    this.#written = undefined;
    const news = await this.#db.read(function* () {
      const sql = 'SELECT 1 FROM turns WHERE id = ? AND settled_at IS NOT NULL AND acknowledged = 0';
      const found = new Set<string>();
      for (const turn of acknowledged) if ((yield* one(sql, turn)) !== undefined) found.add(turn);
      return found;
    });
    if (news.size === 0) return news;
    await this.#db.commit('quick', function* () {
      for (const turn of news) yield* run('UPDATE turns SET acknowledged = 1 WHERE id = ?', turn);
    });
    return news;
  }
}

/**
 * Notes that clients have the ends of turns: all that come in one tick of the event loop, a thousand viewers of one turn too,
 * are one commit. No longer: the client's next request, with the same words, is a new message.
 */
import type { Database } from './database.ts';

export class Acknowledgements {
  readonly #db: Database;
  #turns = new Set<string>();
  #written: Promise<void> | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /** See `TurnStore.acknowledge`. Resolves once it is committed. */
  async add(turn: string): Promise<void> {
    this.#turns.add(turn);
    this.#written ??= new Promise((resolve) => {
      setImmediate(resolve);
    }).then(async () => this.flush());
    await this.#written;
  }

  /** See `TurnStore.retractAcknowledgement`. */
  async retract(turn: string): Promise<void> {
    await this.#db.commit('quick', () => this.#db.run('UPDATE turns SET acknowledged = 0 WHERE id = ? AND acknowledged = 1', turn));
  }

  /** Asks for the commit of what has come so far. */
  async flush(): Promise<void> {
    const acknowledged = this.#turns;
    this.#turns = new Set();
    this.#written = undefined;
    const turns = [...acknowledged].filter((turn) => this.#isNews(turn));
    if (turns.length === 0) return;
    await this.#db.commit('quick', () => {
      for (const turn of turns) this.#db.run('UPDATE turns SET acknowledged = 1 WHERE id = ?', turn);
    });
  }

  #isNews(turn: string): boolean {
    return this.#db.one('SELECT 1 FROM turns WHERE id = ? AND settled_at IS NOT NULL AND acknowledged = 0', turn) !== undefined;
  }
}

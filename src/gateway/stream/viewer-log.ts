/**
 * Who follows which turn, and how far each has come: noted now and then, for whoever asks what was seen when a turn broke.
 *
 * **Contract.** Nothing waits for it: whoever writes to a viewer sets a number. What is noted is written once a second at the most,
 * for all turns of the process in one commit of `rowsAtOnce` rows; what does not fit waits, those who come and go first. What a
 * killed process had not written is lost, and what the database refuses is.
 */
import { mostViewers, type ViewerEnd, type ViewerProtocol, type ViewerRow } from '../../domain/turn/viewer.ts';

export interface Viewer {
  /** The system has taken this event for it, and those before. */
  readonly saw: (seq: number) => void;
  /** Once; later calls change nothing. */
  readonly close: (end: ViewerEnd) => void;
}

const writeEveryMs = 1_000;
/** Some 3 ms of the database. */
const rowsAtOnce = 200;
/** What waits beyond that is forgotten, the oldest first. */
const mostWaiting = 10_000;

export interface ViewerLogOptions {
  readonly write: (viewers: readonly ViewerRow[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

type Changing<T> = { -readonly [Key in keyof T]: T[Key] };

export class ViewerLog {
  readonly #options: ViewerLogOptions;
  /** Unique to this process. */
  readonly #name = crypto.randomUUID();
  /** Those who have come or gone, and those who have moved on, since they were written. */
  readonly #changed = new Set<ViewerRow>();
  readonly #moved = new Set<ViewerRow>();
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ViewerLogOptions) {
    this.#options = options;
  }

  /** @param after the event that it has already; -1 for none */
  open(turn: string, protocol: ViewerProtocol, after: number): Viewer {
    this.#count += 1;
    const viewer: Changing<ViewerRow> = {
      turn,
      id: `${this.#name}-${this.#count}`,
      protocol,
      openedAtMs: Date.now(),
      fromSeq: after + 1,
      lastSeq: after,
    };
    this.#note(this.#changed, viewer);
    return {
      saw: (seq) => {
        viewer.lastSeq = seq;
        viewer.lastAtMs = Date.now();
        this.#note(this.#moved, viewer);
      },
      close: (end) => {
        if (viewer.end !== undefined) return;
        viewer.end = end;
        viewer.closedAtMs = Date.now();
        this.#note(this.#changed, viewer);
      },
    };
  }

  /** The viewers of a turn as they are, where `written` is what the database has of them. */
  newest(turn: string, written: readonly ViewerRow[]): readonly ViewerRow[] {
    const waiting = [...this.#changed, ...this.#moved].filter((viewer) => viewer.turn === turn);
    if (waiting.length === 0) return written;
    const all = new Map([...written, ...waiting].map((viewer) => [viewer.id, viewer]));
    return [...all.values()].toSorted((one, other) => one.openedAtMs - other.openedAtMs).slice(-mostViewers);
  }

  /** Writes what waits: before the process ends. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#changed.size > 0) await this.#write();
  }

  #note(list: Set<ViewerRow>, viewer: ViewerRow): void {
    if (list.has(viewer)) return;
    list.add(viewer);
    const [oldest] = list;
    if (list.size > mostWaiting && oldest !== undefined) list.delete(oldest);
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, writeEveryMs).unref();
  }

  async #write(): Promise<void> {
    const rows: ViewerRow[] = [];
    for (const list of [this.#changed, this.#moved]) {
      for (const viewer of list) {
        if (rows.length >= rowsAtOnce) break;
        rows.push({ ...viewer });
        this.#changed.delete(viewer);
        this.#moved.delete(viewer);
      }
    }
    if (this.#changed.size + this.#moved.size > 0) this.#schedule();
    if (rows.length > 0) await this.#options.write(rows).catch(this.#options.onError);
  }
}

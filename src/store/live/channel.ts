/**
 * The newest of one turn's journal, as one process knows it, and who follows it here. Rows are written or read once and
 * handed to all who have come that far; whoever is further behind reads for itself, at its own pace (T12).
 */
import type { JournalRow } from '../../domain/response/response-event.ts';
import { JournalGoneError } from '../ports/journal.ts';
import type { HeadReader, HeadReads, RowReads } from './reads.ts';
import type { BatchLimits, LiveHead } from './source.ts';
import { type Follower, usualCrowd, Wave } from './wave.ts';

/** Batches kept for those whose socket was busy for a moment: from memory, not from the database. The newest in any case. */
const kept = { batches: 16, chars: 262_144 };

const batchLimits: BatchLimits = { rows: 256, chars: 65_536 };

interface Batch {
  readonly first: number;
  readonly rows: readonly JournalRow[];
  readonly chars: number;
  /** What is left of it for those who have its first rows already, by how many. */
  readonly tails: Map<number, readonly JournalRow[]>;
}

/** What all channels of a process read by. */
export interface ChannelReads {
  readonly heads: HeadReads;
  /** The newest, which are read once for all. */
  readonly newest: RowReads;
  /** Those that each follower reads for itself: they hold up nobody who is up to date. */
  readonly past: RowReads;
}

export class JournalChannel implements HeadReader {
  readonly turn: string;
  readonly #reads: ChannelReads;
  readonly #readers = new Set<Follower>();
  readonly #endWaiters = new Set<Follower>();
  #last: number | undefined;
  #isSealed = false;
  #failure: Error | undefined;
  /** Of the newest batches those that were in memory anyway. */
  readonly #newest: Batch[] = [];
  #keptChars = 0;
  readonly #wave: Wave;
  /** Committed, and shown to nobody yet: a crowd is being woken, or rests. */
  #gathered: Batch[] = [];
  #isSealGathered = false;
  /** Rows that its head says are there. */
  #isReading = false;
  /** Its head is to be asked for once these are read. */
  #isStale = false;

  /** @param crowd how many of them are woken by and by, and get what comes in short succession together */
  constructor(turn: string, reads: ChannelReads, crowd = usualCrowd) {
    this.turn = turn;
    this.#reads = reads;
    this.#wave = new Wave(this.#readers, crowd, () => {
      if (this.#showGathered()) this.#wake();
    });
  }

  /** The number of the last row that is known of; undefined until the journal has been looked at. */
  get last(): number | undefined {
    return this.#last;
  }

  /** Behind `last` nothing comes any more. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** Why nothing more will be known, unless it is sealed. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Nothing more is to be known of it, or nobody is here who wants to know. */
  get isDone(): boolean {
    return this.#isSealed || this.#failure !== undefined || this.isEmpty;
  }

  get isEmpty(): boolean {
    return this.#readers.size + this.#endWaiters.size === 0;
  }

  add(follower: Follower): void {
    (follower.wantsRows ? this.#readers : this.#endWaiters).add(follower);
  }

  delete(follower: Follower): void {
    (follower.wantsRows ? this.#readers : this.#endWaiters).delete(follower);
  }

  /** From memory, if it is there. The same array for all who ask for it: what is made of it once serves them all. */
  batchAfter(seq: number): readonly JournalRow[] | undefined {
    const next = seq + 1;
    const batch = this.#newest.findLast(({ first, rows }) => first <= next && next < first + rows.length);
    if (batch === undefined || batch.first === next) return batch?.rows;
    const has = next - batch.first;
    const tail = batch.tails.get(has) ?? batch.rows.slice(has);
    batch.tails.set(has, tail);
    return tail;
  }

  /**
   * From the database, for one who is too far behind, however long that is busy. Rejects with `JournalGoneError` when these rows are
   * missing.
   * @returns undefined once they are not wanted any more
   */
  async readAfter(seq: number, isWanted: () => boolean): Promise<readonly JournalRow[] | undefined> {
    const rows = await this.#reads.past.read(this.turn, seq, batchLimits, isWanted);
    if (rows !== undefined && rows[0]?.seq !== seq + 1) throw new JournalGoneError(this.turn);
    return rows;
  }

  /**
   * These rows are committed. Handed on without a read, at once, or to a crowd with those that follow shortly; false, and nothing
   * changed, when there are rows before them that are not known here: then it takes a `refresh`.
   */
  push(rows: readonly JournalRow[], isSealed: boolean): boolean {
    const first = rows[0]?.seq;
    const end = this.#end;
    if (end === undefined || first !== end + 1) return false;
    this.#gather({ first, rows, chars: rows.reduce((chars, { data }) => chars + data.length, 0), tails: new Map() });
    this.#isSealGathered ||= isSealed;
    if (!this.#wave.isBusy && this.#showGathered()) this.#wake();
    return true;
  }

  /**
   * Looks at the database for what is not known here: its head, then the rows up to that. One look at a time: whatever calls for
   * another meanwhile has it follow, so that nothing is handed on twice or out of order, however long reads take.
   */
  refresh(): void {
    if (this.#isReading) this.#isStale = true;
    else this.#reads.heads.ask(this);
  }

  /** `refresh`, unless the row of this number is known here already. */
  refreshFor(seq: number | undefined): void {
    const end = this.#end;
    if (seq === undefined || end === undefined || seq > end) this.refresh();
  }

  /** Rejects those who wait for more. Nothing is looked for any more. */
  fail(error: unknown): void {
    this.#showGathered();
    this.#failure ??= error instanceof Error ? error : new Error('the journal cannot be read', { cause: error });
    this.#wake();
  }

  /** What its head was at some moment: of an earlier one than is known there is nothing to learn. */
  see(head: LiveHead | undefined): void {
    if (this.isDone) return;
    const end = this.#end;
    if (head === undefined) this.fail(new JournalGoneError(this.turn));
    else if (this.#isReading) this.#isStale = true;
    else if (end === undefined || head.last > end || head.isSealed) void this.#moveOn(head);
  }

  async #moveOn(head: LiveHead): Promise<void> {
    const last = this.#end ?? head.last;
    // Too much for one batch, or nobody here to read it: each reads for itself.
    if (head.last === last || head.last - last > batchLimits.rows || this.#readers.size === 0) {
      this.#moveTo(head);
      return;
    }
    this.#isReading = true;
    try {
      const rows = await this.#reads.newest.read(this.turn, last, batchLimits, () => !this.isDone);
      const end = rows?.at(-1)?.seq ?? -1;
      const isWhole = rows !== undefined && end >= head.last;
      // The head was read before the newest of them were written: whether these are the last ones it does not say, and nobody else will.
      if (end > head.last) this.#isStale = true;
      // Not handed on when some of them were pushed meanwhile.
      if (!isWhole || !this.push(rows, head.isSealed)) this.#moveTo(head);
    } catch (error) {
      this.fail(error);
    }
    this.#isReading = false;
    if (!this.#isStale) return;
    this.#isStale = false;
    this.refresh();
  }

  /** The number of the last row that is known of, shown or not. */
  get #end(): number | undefined {
    const last = this.#gathered.at(-1);
    return last === undefined ? this.#last : last.first + last.rows.length - 1;
  }

  /** As one batch with those before it, as far as a batch goes. */
  #gather(batch: Batch): void {
    const last = this.#gathered.at(-1);
    const count = (last?.rows.length ?? 0) + batch.rows.length;
    const chars = (last?.chars ?? 0) + batch.chars;
    if (last === undefined || count > batchLimits.rows || chars > batchLimits.chars) this.#gathered.push(batch);
    else this.#gathered[this.#gathered.length - 1] = { ...last, rows: [...last.rows, ...batch.rows], chars };
  }

  /** False: there is nothing. */
  #showGathered(): boolean {
    if (this.#last === undefined || this.#gathered.length === 0) return false;
    for (const batch of this.#gathered) {
      this.#last += batch.rows.length;
      this.#keep(batch);
    }
    this.#gathered = [];
    this.#isSealed ||= this.#isSealGathered;
    return true;
  }

  #keep(batch: Batch): void {
    this.#newest.push(batch);
    this.#keptChars += batch.chars;
    while (this.#newest.length > kept.batches || (this.#keptChars > kept.chars && this.#newest.length > 1)) {
      this.#keptChars -= this.#newest.shift()?.chars ?? 0;
    }
  }

  /** The journal has come at least this far; what is not in memory is read by those who need it. */
  #moveTo({ last, isSealed }: LiveHead): void {
    const end = this.#end;
    if (end !== undefined && last <= end && !isSealed) return;
    this.#showGathered();
    this.#last = Math.max(this.#last ?? last, last);
    this.#isSealed ||= isSealed;
    this.#wake();
  }

  #wake(): void {
    this.#wave.start();
    if (this.#isSealed || this.#failure !== undefined) for (const waiter of this.#endWaiters) waiter.wake();
  }
}

/** The stream of a turn, taken up from its journal: in pages, so that a long one stops nothing else (T14). */
import { setImmediate } from 'node:timers/promises';
import type { JournalRow, ResponseEvent } from '../domain/response/response-event.ts';
import { ResponseStream } from '../domain/response/response-stream.ts';
import type { Store } from '../store/ports/store.ts';

export type JournalReader = Pick<Store, 'readJournal'>;

/** A page takes a few milliseconds to read and to parse. */
export const pageRows = 500;

/** @throws when the turn has no journal: it was never there, or is past retention. */
export async function readStream(store: JournalReader, turn: string): Promise<ResponseStream> {
  const events: ResponseEvent[] = [];
  for await (const page of readPages(store, turn, -1)) events.push(...page.map(eventOf));
  return ResponseStream.replay(events);
}

/** The rows behind `after`, with the event loop free between two pages. */
export async function* readPages(store: JournalReader, turn: string, after: number): AsyncGenerator<readonly JournalRow[]> {
  for (let last = after; ;) {
    const rows = await store.readJournal(turn, { after: last, limit: pageRows });
    if (rows.length > 0) yield rows;
    if (rows.length < pageRows) return;
    last = rows.at(-1)?.seq ?? last;
    await setImmediate();
  }
}

export function eventOf({ data }: JournalRow): ResponseEvent {
  return JSON.parse(data) as ResponseEvent;
}

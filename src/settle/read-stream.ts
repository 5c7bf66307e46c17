/** The stream of a turn, taken up from its journal. */
import type { ResponseEvent } from '../domain/response-event.ts';
import { ResponseStream } from '../domain/response-stream.ts';
import type { Store } from '../store/ports/store.ts';

/** @throws when the turn has no journal: it was never there, or is past retention. */
export async function readStream(store: Pick<Store, 'readJournal'>, turn: string): Promise<ResponseStream> {
  const rows = await store.readJournal(turn);
  return ResponseStream.replay(rows.map((row) => JSON.parse(row.data) as ResponseEvent));
}

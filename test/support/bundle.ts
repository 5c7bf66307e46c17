/** A turn as `turnkeep export` writes it, out of a database alone. */
import type { Dispatcher } from '../../src/client/dispatcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { type Bundle, parseBundle } from '../../src/history/bundle.ts';
import { createExporter } from '../../src/history/export-turn.ts';
import type { Store } from '../../src/store/ports/store.ts';

/** @param id the turn's own */
export async function bundleOf(store: Store, id: string): Promise<Bundle> {
  const turn = await store.readTurn(id);
  if (turn === undefined) throw new Error(`no turn ${id}`);
  const turnkeep = new Turnkeep({ store, dispatcher: {} as Dispatcher });
  const readHistories = async (): Promise<{ missing: string }> => ({ missing: 'not asked' });
  const pieces: string[] = [];
  for await (const piece of createExporter({ store, turnkeep, readHistories, version: '0.0.0' })(turn, { isRedacted: false }))
    pieces.push(piece);
  return parseBundle(pieces.join(''), id);
}

/**
 * A store that records the trace of each turn that this process gives its end. It changes no result, and no call waits for it: the
 * rows are read once the end is committed. A process that dies in between has recorded nothing of the turn.
 */
import type { Store } from '../../store/ports/store.ts';
import { readToolResult } from '../../store/tool-result.ts';
import type { Tracer } from './exporter.ts';
import { spansOf, type TurnContent } from './turn-spans.ts';

type TracedStore = Pick<Store, 'readAttempts' | 'readInput' | 'readResponse' | 'readToolCalls' | 'readToolResult' | 'readTurn'>;

/** Of one attribute, in characters: collectors refuse spans of many megabytes. */
const longestContent = 65_536;

/** @param tracer absent: traces are off, and the store is the same */
export function traced(store: Store, tracer: Tracer | undefined): Store {
  if (tracer === undefined) return store;
  return {
    ...store,
    async seal(seal) {
      const result = await store.seal(seal);
      // A span that is missed while the database is busy or closed is no reason for anything to fail.
      if (result.type === 'sealed') recordTurn(store, seal.turn, tracer).catch(() => undefined);
      return result;
    },
  };
}

async function recordTurn(store: TracedStore, id: string, tracer: Tracer): Promise<void> {
  const turn = await store.readTurn(id);
  if (turn === undefined || turn.settledAtMs === null) return;
  const [attempts, calls, parent, previous] = await Promise.all([
    store.readAttempts(id),
    store.readToolCalls(id),
    turn.parent === null ? undefined : store.readTurn(turn.parent.turn),
    turn.previous === null ? undefined : store.readTurn(turn.previous),
  ]);
  const content = tracer.hasContent
    ? await readContent(
        store,
        id,
        calls.map(({ number }) => number),
      )
    : undefined;
  tracer.record(spansOf({ turn, attempts, calls, parent, previous: previous?.kind === 'response' ? previous : undefined, content }));
}

async function readContent(store: TracedStore, turn: string, calls: readonly number[]): Promise<TurnContent> {
  const results = new Map<number, string>();
  for (const number of calls) {
    const result = await readToolResult(store, { turn, number });
    if (result === undefined) continue;
    for await (const piece of result.pieces) {
      results.set(number, new TextDecoder().decode(piece.subarray(0, longestContent)));
      break;
    }
  }
  const response = await store.readResponse(turn);
  return { input: jsonOf(await store.readInput(turn)), output: jsonOf(response?.output ?? []), results };
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value).slice(0, longestContent);
}

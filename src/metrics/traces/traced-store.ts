/**
 * A store that records the trace of each turn that this process gives its end. It changes no result, and no call waits for it: the
 * rows are read once the end is committed. A process that dies in between has recorded nothing of the turn.
 */
import type { ParentCall, TurnRow } from '../../domain/turn/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import { readToolResult } from '../../store/tool-result.ts';
import type { Tracer } from './exporter.ts';
import { boundedText, inputMessages, outputMessages } from './messages.ts';
import type { TraceSpan } from './span.ts';
import { spansOf, type TurnContent } from './turn-spans.ts';

export interface TracedOptions {
  /** Absent: traces are off, and the store is the same. */
  readonly tracer: Tracer | undefined;
  /** Of the turn that carries out a call of an agent. */
  readonly childIdOf: (call: ParentCall) => string;
}

export function traced(store: Store, { tracer, childIdOf }: TracedOptions): Store {
  if (tracer === undefined) return store;
  return {
    ...store,
    async seal(seal) {
      const result = await store.seal(seal);
      if (result.type === 'sealed') tracer.recordLater(() => readSpans(store, seal.turn, { tracer, childIdOf }));
      return result;
    },
  };
}

async function readSpans(
  store: Store,
  id: string,
  { tracer, childIdOf }: { readonly tracer: Tracer; readonly childIdOf: TracedOptions['childIdOf'] },
): Promise<readonly TraceSpan[]> {
  const turn = await store.readTurn(id);
  if (turn === undefined) return [];
  const [attempts, calls, parent, previous] = await Promise.all([
    store.readAttempts(id),
    store.readToolCalls(id),
    turn.parent === null ? undefined : store.readTurn(turn.parent.turn),
    turn.previous === null ? undefined : store.readTurn(turn.previous),
  ]);
  // What is not to be stored is not to be stored by a collector either.
  const hasContent = tracer.hasContent && turn.isStored;
  const numbers = calls.map(({ number }) => number);
  return spansOf({
    turn,
    attempts,
    calls,
    childIdOf,
    ...(parent === undefined ? {} : { parent }),
    ...(previous?.kind === 'response' ? { previous } : {}),
    ...(hasContent ? { content: await readContent(store, turn, numbers) } : {}),
  });
}

async function readContent(store: Store, turn: TurnRow, calls: readonly number[]): Promise<TurnContent> {
  const results = new Map<number, string>();
  for (const number of calls) {
    const result = await readToolResult(store, { turn: turn.id, number });
    if (result === undefined) continue;
    // The first piece is more than an attribute has room for, where there are several.
    for await (const piece of result.pieces) {
      results.set(number, boundedText(new TextDecoder().decode(piece)));
      break;
    }
  }
  const [input, response] = await Promise.all([store.readInput(turn.id), store.readResponse(turn.id)]);
  const { instructions } = turn.settings;
  return {
    ...(instructions === null || instructions === '' ? {} : { instructions: boundedText(instructions) }),
    input: inputMessages(input),
    output: outputMessages(response?.output ?? [], finishReasonOf(turn, response?.incomplete_details?.reason)),
    results,
  };
}

function finishReasonOf({ status }: TurnRow, reason: string | undefined): string {
  if (status === 'completed') return 'stop';
  if (status !== 'incomplete') return 'error';
  return reason === 'max_output_tokens' ? 'length' : (reason ?? 'error');
}

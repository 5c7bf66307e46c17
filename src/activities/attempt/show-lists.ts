/** Shows, before the first request of a turn, what the MCP servers offer it: what its conversation has not seen yet. */
import { agentServerLabel } from '../../domain/agents/function-names.ts';
import { journalRowOf } from '../../domain/response/response-event.ts';
import type { ResponseStream } from '../../domain/response/response-stream.ts';
import { isShown, listShown } from '../../domain/agents/tool-list.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { localServerLabel, type ToolList } from '../../tools/tool.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';
import { FencedError } from './journal-writer.ts';

export interface Showing {
  readonly store: Pick<Store, 'append' | 'readTranscript' | 'readInput'>;
  readonly turn: string;
  readonly epoch: number;
  readonly stream: ResponseStream;
  readonly tools: TurnTools;
}

/** It starts nothing (T2): an attempt that comes after this one finds the lists shown. @throws `FencedError` when another one has the turn */
export async function showLists({ store, turn, epoch, stream, tools }: Showing): Promise<void> {
  const wanted = tools.lists.filter(isOfServer);
  if (wanted.length === 0) return;
  const transcript = await retryWhileBusy(() => store.readTranscript(turn));
  const past = [...transcript.flatMap(({ items }) => items), ...(await retryWhileBusy(() => store.readInput(turn)))];
  const rows = wanted
    .filter((list) => !isShown([...past, ...stream.output], list))
    .flatMap((list) => stream.show((output) => listShown(output, list)))
    .map(journalRowOf);
  if (rows.length === 0) return;
  if (!(await retryWhileBusy(() => store.append({ turn, epoch, rows })))) throw new FencedError('the turn was taken over');
}

function isOfServer({ serverLabel }: ToolList): boolean {
  return serverLabel !== localServerLabel && serverLabel !== agentServerLabel;
}

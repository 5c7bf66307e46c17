/** Tools that are not run: each call is answered with what the same call came to in another turn. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { callOfKey, type ToolCallRow } from '../../domain/agents/tool-call.ts';
import type { JsonObject } from '../../domain/item.ts';
import { readToolResult } from '../../store/tool-result.ts';
import type { Store } from '../../store/ports/store.ts';
import type { ToolContext, ToolList, ToolResult, WorkerTool } from '../../tools/tool.ts';

type RecordedStore = Pick<Store, 'readToolCalls' | 'readToolResult'>;

/** @param turn its own id: the turn whose calls are recorded */
export function recordedTools(store: RecordedStore, turn: string, lists: readonly ToolList[]): readonly ToolList[] {
  const recorded = (tool: WorkerTool): WorkerTool => ({
    ...tool,
    attempts: Number.MAX_SAFE_INTEGER,
    needsApproval: () => false,
    run: (args, context) => recordedRun(store, turn, tool, args, context),
  });
  return lists.map((list) => ({ ...list, tools: list.tools.map(({ room: _noRoomIsNeeded, ...tool }) => recorded(tool)) }));
}

async function recordedRun(
  store: RecordedStore,
  turn: string,
  tool: WorkerTool,
  args: JsonObject,
  { idempotencyKey }: ToolContext,
): Promise<ToolResult> {
  const own = callOfKey(idempotencyKey);
  const isSame = isCallOf(tool, JSON.stringify(args));
  // A tool may have been called several times with the same arguments, and have said something else each time.
  const before = (await store.readToolCalls(own.turn)).filter((call) => call.number < own.number && isSame(call)).length;
  const calls = (await store.readToolCalls(turn)).filter(isSame);
  const call = calls[before] ?? calls.at(-1);
  if (call === undefined) return { type: 'error', message: 'No tool is run in this turn, and the turn before it did not make this call.' };
  const result = await readToolResult(store, { turn, number: call.number });
  if (result === undefined)
    return { type: 'error', message: 'No tool is run in this turn, and in the turn before it this call came to nothing.' };
  const pieces: Uint8Array[] = [];
  for await (const piece of result.pieces) {
    pieces.push(piece);
    await nextTurnOfTheLoop();
  }
  const text = Buffer.concat(pieces).toString();
  return call.outcome === 'completed' ? { type: 'output', text } : { type: 'error', message: text };
}

function isCallOf({ serverLabel, name }: WorkerTool, args: string): (call: ToolCallRow) => boolean {
  return (call) => call.serverLabel === serverLabel && call.name === name && argumentsOf(call) === args;
}

/** Without the white space in which the model wrote them. */
function argumentsOf({ arguments: text }: ToolCallRow): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}

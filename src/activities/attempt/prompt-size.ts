/** How long a prompt is, and what is done about one that is too long for the context of the model (`domain/prompt/overflow.ts`). */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { AttemptKey, AttemptRow } from '../../domain/turn/attempt.ts';
import {
  calibrated,
  type CountedPrompt,
  isWorthwhile,
  requestToSummarise,
  statedContext,
  tokensToSummarise,
} from '../../domain/prompt/auto-compaction.ts';
import { isCompaction } from '../../domain/prompt/compaction.ts';
import { keptCharsOf, keptMessages } from '../../domain/prompt/kept-messages.ts';
import { isWorkers, type Item } from '../../domain/item.ts';
import type { ModelFailure, ModelRequest } from '../../domain/model.ts';
import { compactionOf, isCompactionStep, promptRoomOf, promptTooLong } from '../../domain/prompt/overflow.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { estimatedTokens, type Said, shownItems } from './model-request.ts';

export interface Sizing {
  readonly store: Pick<Store, 'readAttempts'>;
  readonly turn: TurnRow;
  readonly said: Said;
  /** What the steps before have said. */
  readonly answer: readonly Item[];
  readonly api: ProviderApi;
  /** Of this turn. */
  readonly booked: readonly AttemptRow[];
  readonly step: number;
  readonly mayCompact: boolean;
}

/** What the request ends with before it is sent, where its prompt is known to be too long; undefined: it is sent. */
export async function failureOfPrompt(request: ModelRequest, sizing: Sizing): Promise<ModelFailure | undefined> {
  const { settings } = sizing.turn;
  const room = promptRoomOf(settings);
  const compaction = compactionOf(settings);
  if (room === undefined || compaction === 'off') return undefined;
  const tokens = calibrated(await estimatedTokens(request), await countedPrompt(request, sizing));
  if (compaction === 'error') return tokens > room.most ? promptTooLong(tokens, room) : undefined;
  // Where no summary helps any more, the provider may still take it: it was estimated.
  if (tokens <= room.nearlyFull || !sizing.mayCompact) return undefined;
  const failure = promptTooLong(tokens, room);
  return (await gains(request, failure)) ? failure : undefined;
}

/** Is what a summary of this prompt would leave so much shorter that it is worth asking for? @param failure which says that it is too long */
export async function gains(request: ModelRequest, { providerMessage }: ModelFailure): Promise<boolean> {
  const whole = await estimatedTokens(request);
  const keptChars = keptCharsOf(contextOf(request, providerMessage) ?? whole);
  const items = keptMessages(request.items, { keptChars, newestChars: Number.POSITIVE_INFINITY });
  return isWorthwhile(await estimatedTokens({ ...request, items }), whole);
}

/** The request for a summary of a prompt that was too long: the shorter, the oftener it was asked for in vain. */
export async function shortenedToSummarise(
  request: ModelRequest,
  booked: readonly AttemptRow[],
  { step, attempt }: AttemptKey,
): Promise<ModelRequest> {
  const refused = booked.findLast((row) => row.step < step);
  const tokens = await estimatedTokens(request);
  const context = contextOf(request, refused?.message);
  const shown = await requestToSummarise(request, tokensToSummarise(tokens, attempt, context), () => nextTurnOfTheLoop());
  const { tenant, ids } = request;
  return {
    ...shown,
    ...(tenant === undefined ? {} : { tenant }),
    ...(ids === undefined ? {} : { ids }),
    keptChars: keptCharsOf(context ?? tokens),
  };
}

function contextOf({ settings }: ModelRequest, said: string | undefined): number | undefined {
  return settings.agent?.contextTokens ?? statedContext(said);
}

/** The last prompt of the conversation that the provider has counted: of this turn, or of the one before it. */
async function countedPrompt({ settings }: ModelRequest, sizing: Sizing): Promise<CountedPrompt | undefined> {
  const { store, turn, said, answer, api, booked, step } = sizing;
  const ofTurn = lastCounted(booked.filter((row) => row.step < step));
  const items = ofTurn === undefined ? undefined : shownItems(said, saidBefore(answer, ofTurn.step), turn.settings, api);
  if (ofTurn !== undefined && items !== undefined) {
    return { counted: ofTurn.counted, estimated: await estimatedTokens({ settings, items }) };
  }
  const last = said.turns.at(-1);
  if (last === undefined || turn.previous === null || last.model !== turn.settings.model) return undefined;
  const { previous } = turn;
  const before = lastCounted(await retryWhileBusy(() => store.readAttempts(previous)));
  if (before === undefined) return undefined;
  const then = { turns: said.turns.slice(0, -1), input: last.items.slice(0, last.inputCount) };
  const shown = shownItems(then, saidBefore(last.items.slice(last.inputCount), before.step), turn.settings, api);
  return { counted: before.counted, estimated: await estimatedTokens({ settings, items: shown }) };
}

function lastCounted(rows: readonly AttemptRow[]): { readonly step: number; readonly counted: number } | undefined {
  const row = rows.findLast(
    ({ step, outcome, usage }) => outcome === 'completed' && (usage?.input_tokens ?? 0) > 0 && !isCompactionStep(rows, step),
  );
  return row?.usage === undefined ? undefined : { step: row.step, counted: row.usage.input_tokens };
}

/** What the steps before this one have said: they end with the calls of a worker's tools that they made, or with a compaction. */
function saidBefore(answer: readonly Item[], step: number): readonly Item[] {
  const end = answer.findLastIndex((item) => isWorkers(item) && item.turnkeep.step < step) + 1;
  const more = answer.slice(end).findIndex((item) => !isCompaction(item));
  return answer.slice(0, more === -1 ? answer.length : end + more);
}

/** What a step asks the model: the transcript of its session, what earlier steps of its turn have said, and its tools. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { AttemptKey, AttemptRow } from '../../domain/attempt.ts';
import { type Exceeded, lastStepNote } from '../../domain/budget.ts';
import { isWorthwhile, requestToSummarise, statedContext, tokensToSummarise } from '../../domain/auto-compaction.ts';
import { afterCompactions, keptMessages } from '../../domain/compaction.ts';
import { type OutputItem, unwrittenMessage } from '../../domain/item.ts';
import type { ModelRequest } from '../../domain/model.ts';
import { promptOf } from '../../domain/prompt.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import { withoutRefused } from '../../domain/refused-input.ts';
import { askedModelOf, isAllowedTools, type ResponseSettings, type Tool, type ToolChoice } from '../../domain/response-settings.ts';
import { estimateTokens } from '../../domain/token-estimate.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';

export interface Asking {
  readonly step: number;
  readonly api: ProviderApi;
  readonly tools: TurnTools;
  /** What the steps before have said. */
  readonly answer: readonly OutputItem[];
  /** What makes this the last step: no tool is carried out behind it. */
  readonly last?: Exceeded | undefined;
}

export async function modelRequest(store: Store, turn: TurnRow, { step, api, tools, answer, last }: Asking): Promise<ModelRequest> {
  const { settings } = turn;
  const past = withoutRefused(await store.readTranscript(turn.id), settings.model);
  const present = afterCompactions({ turns: past, input: await store.readInput(turn.id), answer }, { api, model: settings.model });
  const items = promptOf(present.turns, present.input, settings.model, present.answer);
  const offered = tools.functions;
  // An agent without tools of a worker has one step, and nothing to be told of.
  const isToldLast = last !== undefined && offered.length > 0;
  return {
    settings: {
      ...settings,
      model: askedModelOf(settings),
      ...(settings.agent === undefined ? {} : { tools: [...toolsOfProvider(settings), ...offered] }),
      tool_choice: tools.choice(step === 1 ? settings.tool_choice : choiceOfLaterSteps(settings.tool_choice)),
      // The tools stay in the request: some servers refuse calls of tools that it does not bring, and what they have cached begins with it.
      ...(isToldLast ? { tool_choice: 'none' } : {}),
    },
    items: isToldLast ? [...items, unwrittenMessage('system', lastStepNote(last))] : items,
  };
}

/** Is what a summary of this prompt would leave so much shorter that it is worth asking for? */
export async function gains(request: ModelRequest): Promise<boolean> {
  const kept = await estimatedTokens({ ...request, items: keptMessages(request.items) });
  return isWorthwhile(kept, await estimatedTokens(request));
}

/** The request for a summary of a prompt that was too long: the shorter, the oftener it was asked for in vain. */
export async function shortenedToSummarise(
  request: ModelRequest,
  booked: readonly AttemptRow[],
  { step, attempt }: AttemptKey,
): Promise<ModelRequest> {
  const refused = booked.findLast((row) => row.step < step);
  const tokens = tokensToSummarise(await estimatedTokens(request), attempt, statedContext(refused?.message));
  return requestToSummarise(request, tokens);
}

/** What its prompt comes to, as it is estimated where nobody counts; others have the event loop in between (T14). */
export async function estimatedTokens(request: ModelRequest): Promise<number> {
  return estimateTokens(request, () => nextTurnOfTheLoop());
}

/** Those that a worker runs are offered as functions. */
function toolsOfProvider({ tools, agent }: ResponseSettings): readonly Tool[] {
  return tools.filter((tool) => {
    const { type, server_label: label } = tool as { readonly type: string; readonly server_label?: string };
    return type !== 'mcp' || agent?.tools.includes(`mcp:${label}`) !== true;
  });
}

/** A call that was demanded has been made: to demand it again would never end. */
function choiceOfLaterSteps(choice: ToolChoice | null): ToolChoice | null {
  if (choice === null || choice === 'none') return choice;
  return typeof choice === 'object' && isAllowedTools(choice) ? { ...choice, mode: 'auto' } : 'auto';
}

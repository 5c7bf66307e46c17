/** What a step asks the model: the transcript of its session, what earlier steps of its turn have said, and its tools. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { type Exceeded, lastStepNote } from '../../domain/turn/budget.ts';
import { afterCompactions } from '../../domain/prompt/compaction.ts';
import { type Item, type OutputItem, unwrittenMessage } from '../../domain/item.ts';
import type { ModelRequest } from '../../domain/model.ts';
import { promptOf, type TranscriptTurn } from '../../domain/prompt/prompt.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import { withoutRefused } from '../../domain/prompt/refused-input.ts';
import { makerOf, withHidden } from '../../domain/response/hidden-reasoning.ts';
import {
  askedModelOf,
  isAllowedTools,
  type ResponseSettings,
  type Tool,
  type ToolChoice,
} from '../../domain/response/response-settings.ts';
import { estimateTokens } from '../../domain/prompt/token-estimate.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';

export interface Asking {
  /** The model has answered nothing of the turn yet: what it must call, it has not called. */
  readonly isFirst: boolean;
  readonly api: ProviderApi;
  readonly step: number;
  readonly tools: TurnTools;
  /** What the steps before have said. */
  readonly answer: readonly OutputItem[];
  /** Its reasoning is to be told in the next step, though no client asked for it. */
  readonly wantsReasoning: boolean;
  /** What makes this the last step: no tool is carried out behind it. */
  readonly last?: Exceeded | undefined;
}

/** All that a turn begins with. */
export interface Said {
  readonly turns: readonly TranscriptTurn[];
  readonly input: readonly Item[];
}

/** @param isPlain without what the models of earlier turns have encrypted and no client knows: the provider has refused that */
export async function readSaid(
  store: Pick<Store, 'readTranscript' | 'readInput'>,
  { id, settings }: TurnRow,
  { isPlain }: { readonly isPlain: boolean },
): Promise<Said> {
  const told = ({ hidden, ...turn }: TranscriptTurn): TranscriptTurn => {
    return hidden === undefined || isPlain ? turn : { ...turn, items: withHidden(turn.items, hidden, makerOf(settings)) };
  };
  return { turns: withoutRefused((await store.readTranscript(id)).map(told), settings.model), input: await store.readInput(id) };
}

/** What the model is shown of it. @param answer what the steps of the turn have said */
export function shownItems(
  { turns, input }: Said,
  answer: readonly Item[],
  { model }: ResponseSettings,
  api: ProviderApi,
): readonly Item[] {
  const present = afterCompactions({ turns, input, answer }, { api, model });
  return promptOf(present.turns, present.input, model, present.answer);
}

export function modelRequest(
  { id, tenant, settings }: TurnRow,
  said: Said,
  { isFirst, api, step, tools, answer, wantsReasoning, last }: Asking,
): ModelRequest {
  const items = shownItems(said, answer, settings, api);
  const offered = tools.functions;
  // An agent without tools of a worker has one step, and nothing to be told of.
  const isToldLast = last !== undefined && offered.length > 0;
  return {
    tenant,
    ids: `${id} ${step}`,
    settings: {
      ...settings,
      model: askedModelOf(settings),
      ...(settings.agent === undefined ? {} : { tools: [...toolsOfProvider(settings), ...offered] }),
      tool_choice: tools.choice(isFirst ? settings.tool_choice : choiceOfLaterSteps(settings.tool_choice)),
      // The tools stay in the request: some servers refuse calls of tools that it does not bring, and what they have cached begins with it.
      ...(isToldLast ? { tool_choice: 'none' } : {}),
    },
    items: isToldLast ? [...items, unwrittenMessage('system', lastStepNote(last))] : items,
    ...(wantsReasoning ? { wantsReasoning } : {}),
  };
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

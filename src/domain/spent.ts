/** What a turn has used up so far: its own requests, those that failed too, and the turns that carried out its calls. Pure. */
import type { AttemptRow } from './attempt.ts';
import { sumOfKnown, type Usage } from './response.ts';
import type { ToolCallRow } from './tool-call.ts';

export interface Spent {
  /** Model calls of its own. */
  readonly steps: number;
  readonly toolCalls: number;
  /** null: no provider has said anything of it. */
  readonly usage: Usage | null;
}

type Booked = Pick<AttemptRow, 'step' | 'usage'>;
type Called = Pick<ToolCallRow, 'usage' | 'runs'>;

export function spentOf(attempts: readonly Booked[], toolCalls: readonly Called[]): Spent {
  return {
    steps: new Set(attempts.map(({ step }) => step)).size,
    toolCalls: toolCalls.filter(({ runs }) => runs > 0).length,
    usage: [...attempts, ...toolCalls].map(({ usage }) => usage ?? null).reduce(sumOfKnown, null),
  };
}

/** Tokens of the turns that carried out its calls; null: there are none, or nothing is known of them. */
export function usageOfCalls(toolCalls: readonly Called[]): Usage | null {
  return toolCalls.map(({ usage }) => usage ?? null).reduce(sumOfKnown, null);
}

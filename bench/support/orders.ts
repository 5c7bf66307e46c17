/** What the model is to answer: said in the prompt itself, so that requests at the same time need no queue of scripts. */
export interface Order {
  readonly tokens: number;
  /** Between two tokens. */
  readonly waitMs?: number;
  /** The first token waits at this gate. */
  readonly gate?: string;
  /** Nothing comes after the tokens, not even an end. */
  readonly stalls?: boolean;
}

export const promptOf = (order: Order): string => JSON.stringify(order);

export function orderOf(prompt: string): Order {
  return JSON.parse(prompt) as Order;
}

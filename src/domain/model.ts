/**
 * What a model says, whichever API it speaks: the words between `providers/` and the journal.
 */
import type { Failure } from './failure.ts';
import type { BusyHint } from './retry-policy.ts';
import type { Item } from './item.ts';
import type { ResponseSettings } from './response-settings.ts';
import type { Usage } from './response.ts';

/** What the model is asked: the walk up the turns, oldest first, and the settings of this turn. */
export interface ModelRequest {
  readonly settings: ResponseSettings;
  readonly items: readonly Item[];
}

/**
 * A piece of the answer. `item` names the provider's own item or part where it has such a thing:
 * a changed name begins a new one. Texts may be empty; an empty piece shows and starts nothing.
 */
export type ModelDelta =
  | { readonly type: 'text' | 'refusal' | 'reasoning'; readonly text: string; readonly item?: string }
  | {
      readonly type: 'tool_call';
      /** Tells the calls of one answer apart. */
      readonly item: string;
      readonly callId: string;
      readonly name: string;
      readonly text: string;
    }
  /** The provider's own reasoning, for the provider alone: shows and starts nothing. `item` as in the last piece told of it. */
  | { readonly type: 'encrypted_reasoning'; readonly item: string; readonly text: string };

/** The provider's proof that its answer is whole (T8). */
export type ModelFinish = {
  readonly status: 'completed' | 'incomplete';
  /** Why an incomplete answer is so: `max_output_tokens`, `content_filter`. */
  readonly reason?: string;
};

export type ModelEvent =
  | { readonly type: 'delta'; readonly delta: ModelDelta }
  | { readonly type: 'proof'; readonly proof: ModelFinish }
  | { readonly type: 'usage'; readonly usage: Usage };

/** Has this piece anything to show? Law: "a step has started when the first non-empty … delta of it has been accepted". */
export function startsStep(delta: ModelDelta): boolean {
  if (delta.type === 'encrypted_reasoning') return false;
  return delta.text !== '' || (delta.type === 'tool_call' && delta.name !== '');
}

/** By this name a request asks for what `encrypted_reasoning` carries. */
export const encryptedReasoning = 'reasoning.encrypted_content' as const;

export function asksFor({ include }: ResponseSettings, name: string): boolean {
  return include.includes(name);
}

/** A failed request, as a provider reports it. `busy` is set exactly when the code is `provider_busy`. */
export interface ModelFailure extends Failure {
  readonly busy?: BusyHint;
  /** The machine's own word for it, such as `ECONNRESET` or `429`; safe to store anywhere. */
  readonly detail?: string;
  /** The provider's own sentence, keys removed. For the database only, never for Temporal (T11). */
  readonly providerMessage?: string;
}

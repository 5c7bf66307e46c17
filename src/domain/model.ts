/** The request to a model and the events of its answer, whichever API it speaks: the types between `providers/` and the journal. */
import type { Failure, FailureCause } from './failure.ts';
import type { BusyHint } from './turn/retry-policy.ts';
import type { Item, Json, JsonObject, ProviderFields } from './item.ts';
import type { ResponseSettings } from './response/response-settings.ts';
import type { Usage } from './response/response.ts';

/** The prompt, oldest item first, and the settings of the turn. */
export interface ModelRequest {
  readonly settings: ResponseSettings;
  readonly items: readonly Item[];
  /**
   * The names of the functions that the client carries out, where a worker carries out all others: what is wrong with the arguments
   * of those, the model is told. Absent: all are the client's, who is shown no call whose arguments are no JSON (T8).
   */
  readonly clientFunctions?: ReadonlySet<string>;
  /** Its reasoning is to come with what its provider needs to read it again; left out for a model that is known to refuse that. */
  readonly wantsReasoning?: true;
  /** Of a request that compacts: how much of the user's messages stays beside its summary (`keptMessages`). */
  readonly keptChars?: number;
  /** Whose turn it is. Nothing of it is sent. */
  readonly tenant?: string;
  /** Of what the provider gives no id, one is made of this: the same answer gets the same ids again. Absent: ids are random. */
  readonly ids?: string;
}

/**
 * A delta of the answer. `item` names the provider's own item or part where it has such a thing: another name begins a
 * new one. Texts may be empty, and those of the last four are; an empty delta shows and starts nothing. All text is well-formed: no character is torn.
 */
export type ModelDelta =
  | { readonly type: 'refusal'; readonly text: string; readonly item?: string }
  | {
      readonly type: 'text';
      readonly text: string;
      readonly item?: string;
      /** How likely the tokens of the text were, as the provider said it. */
      readonly logprobs?: readonly Json[];
    }
  | {
      readonly type: 'reasoning';
      readonly text: string;
      readonly item?: string;
      /** Kept on the item, over what it has; with an empty text also behind the item's end. */
      readonly providerFields?: ProviderFields;
    }
  | {
      readonly type: 'tool_call';
      /** Tells the calls of one answer apart. */
      readonly item: string;
      /** Both as they will stay: a call is shown once they are final. */
      readonly callId: string;
      readonly name: string;
      readonly text: string;
      /** Kept on the item, over what it has: they may come with any piece of the call. */
      readonly providerFields?: ProviderFields;
      /** A call of a custom tool: the text is its input, and no JSON. */
      readonly isCustom?: true;
      /** What the item has beside these, with the first piece of the call: its `namespace`. */
      readonly members?: JsonObject;
    }
  /** A source of the text of this part. Starts nothing. */
  | { readonly type: 'annotation'; readonly text: string; readonly item?: string; readonly annotation: Json }
  /** A message of its own begins, with what it has beside its texts (`phase`). Shows nothing before its text. */
  | { readonly type: 'message'; readonly text: string; readonly item: string; readonly members: JsonObject }
  /**
   * An event of an item that is passed on as it came (`OpaqueItem`), as the provider sent it. `item` tells such items apart.
   */
  | { readonly type: 'opaque'; readonly text: string; readonly item: string; readonly event: JsonObject }
  /** Reasoning that only the provider can read: shows and starts nothing. `item` is that of the reasoning before it. */
  | { readonly type: 'encrypted_reasoning'; readonly item: string; readonly text: string };

export type TextDelta = Extract<ModelDelta, { readonly type: 'text' | 'refusal' | 'reasoning' }>;

/** The provider's own statement that its answer is at its end, without which no answer counts as whole (T8). */
export type ModelFinish = {
  readonly status: 'completed' | 'incomplete';
  /** Why an incomplete answer is so: `max_output_tokens`, `content_filter`. */
  readonly reason?: string;
  /** A word of the provider's that no table knows, for the operator: one constant word (T11). */
  readonly detail?: string;
};

export type ModelEvent =
  | { readonly type: 'delta'; readonly delta: ModelDelta }
  | { readonly type: 'finish'; readonly finish: ModelFinish }
  | { readonly type: 'usage'; readonly usage: Usage }
  /** The tier that served the request, which may be another than was asked for. */
  | { readonly type: 'service_tier'; readonly serviceTier: string };

/**
 * Does this delta start the step? The one place that says so: "a step has started when the first non-empty content,
 * reasoning, refusal or tool-call delta of it has been accepted". White space counts.
 */
export function startsStep(delta: ModelDelta): boolean {
  if (delta.type === 'opaque') return true;
  if (delta.type === 'encrypted_reasoning') return false;
  return delta.text !== '' || (delta.type === 'tool_call' && delta.name !== '');
}

/** The value of a request's `include` that asks for `encrypted_reasoning`. */
export const encryptedReasoning = 'reasoning.encrypted_content' as const;

export function asksFor({ include }: ResponseSettings, name: string): boolean {
  return include.includes(name);
}

/** A failed request, as a provider reports it. `busy` is set exactly when the code is `provider_busy`. */
export interface ModelFailure extends Failure {
  readonly busy?: BusyHint;
  /** A code such as `ECONNRESET` or `429`: constant words only, so it may be stored anywhere (T11). */
  readonly detail?: string;
  /** The provider's own message, keys removed. For the database only, never for Temporal (T11). */
  readonly providerMessage?: string;
  /** The errors behind it, the outermost first, keys removed. For the database only, too. */
  readonly causes?: readonly FailureCause[];
  /** Our own words on what was asked and what usually mends it, keys removed. They name an address: for the database only, too. */
  readonly advice?: string;
}

/** All that its user is to read of a failure: what happened, what mends it, and what the provider said. */
export function fullMessageOf({ message, advice, providerMessage }: Pick<ModelFailure, 'message' | 'advice' | 'providerMessage'>): string {
  const said = providerMessage === undefined ? undefined : `The provider said: ${providerMessage}`;
  return [message, advice, said].filter((sentence) => sentence !== undefined).join(' ');
}

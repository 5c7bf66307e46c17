/**
 * What a server demands of a prompt beyond OpenAI's API, where it is known by its address, or learned from its refusal: the
 * templates of open models raise an error of their own words, and the same prompt would be refused in every later turn (T13).
 * Learned for this process: another one learns it by a refusal of its own.
 */
import type { ModelFailure } from '../../domain/model.ts';
import { refusesToEncrypt } from '../../domain/response/hidden-reasoning.ts';

export interface PromptForm {
  /** Users and the assistant take turns: Gemma's and Mistral's templates. Of a row of messages one is made. */
  readonly joinsRows: boolean;
  /** Ids of calls are nine letters and digits: Mistral. */
  readonly hasShortIds: boolean;
  /** The Responses API: the model does not reason, or its server does not encrypt what it has thought. */
  readonly refusesToEncrypt: boolean;
}

/** Names of models are the client's to choose. */
const mostModels = 1_000;

const alternating = /\b(?:must|should)(?: be)? alternat/i;
const shortIds = /\btool[ _]calls?[ _]ids?\b.{0,160}\blength (?:of )?9\b/i;

export class LearnedForms {
  readonly #known: PromptForm;
  readonly #learned = new Map<string, PromptForm>();

  constructor(baseUrl: string) {
    const hasShortIds = URL.canParse(baseUrl) && /(?:^|\.)mistral\.ai$/.test(new URL(baseUrl).hostname);
    this.#known = { joinsRows: false, hasShortIds, refusesToEncrypt: false };
  }

  of(model: string): PromptForm {
    return this.#learned.get(model) ?? this.#known;
  }

  learn(model: string, failure: ModelFailure): void {
    const { providerMessage = '' } = failure;
    const before = this.of(model);
    const after = {
      joinsRows: before.joinsRows || alternating.test(providerMessage),
      hasShortIds: before.hasShortIds || shortIds.test(providerMessage),
      refusesToEncrypt: before.refusesToEncrypt || refusesToEncrypt({ ...failure, words: providerMessage }),
    };
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    if (this.#learned.size < mostModels) this.#learned.set(model, after);
  }
}

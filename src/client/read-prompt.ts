/** What the model would be shown of a submission, read without taking it in. */
import { afterCompaction } from '../domain/prompt/compaction.ts';
import type { Item } from '../domain/item.ts';
import { promptOf } from '../domain/prompt/prompt.ts';
import type { ProviderApi } from '../domain/provider-capabilities.ts';
import { withoutRefused } from '../domain/prompt/refused-input.ts';
import type { Store } from '../store/ports/store.ts';
import { resolveInput, type Submission, type Unresolved } from './submission.ts';

export type PromptPreview =
  /** `isWhole`: no turn of its conversation runs or waits, which would bring more. */
  { readonly type: 'prompt'; readonly items: readonly Item[]; readonly isWhole: boolean } | Unresolved;

export type PreviewedSubmission = Pick<Submission, 'tenant' | 'settings' | 'session' | 'previous' | 'input'>;

/** Turns of its conversation that still run or wait are in it as far as they have come. */
export async function previewPrompt(
  store: Store,
  api: ProviderApi,
  { tenant, settings, session, previous, input: submitted }: PreviewedSubmission,
): Promise<PromptPreview> {
  const input = await resolveInput(store, { tenant, input: submitted, settings, session, previous });
  if ('type' in input) return input;
  const leaf =
    session !== null
      ? (await store.readSession(tenant, session))?.leaf
      : previous !== null
        ? (await store.findTurn(tenant, previous))?.id
        : undefined;
  const past = leaf == null ? [] : await store.readTranscript(leaf, { isIncluded: true });
  const told = afterCompaction({ turns: withoutRefused(past, settings.model), input }, { api, model: settings.model });
  const isWhole = session === null || (await store.listUnsettledOf(tenant, session)).length === 0;
  return { type: 'prompt', items: promptOf(told.turns, told.input, settings.model), isWhole };
}

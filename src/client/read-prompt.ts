/** What the model would be shown of a submission, read without taking it in. */
import { afterCompaction } from '../domain/compaction.ts';
import type { Item } from '../domain/item.ts';
import { promptOf } from '../domain/prompt.ts';
import type { ProviderApi } from '../domain/provider-capabilities.ts';
import type { Store } from '../store/ports/store.ts';
import { resolveReferences, type Submission } from './submission.ts';

export type PromptPreview =
  | { readonly type: 'prompt'; readonly items: readonly Item[] }
  /** `input[index]` refers to an item that is not there. */
  | { readonly type: 'unknown_item'; readonly index: number; readonly id: string };

export type PreviewedSubmission = Pick<Submission, 'tenant' | 'settings' | 'session' | 'previous' | 'input'>;

/** Turns of its conversation that still run or wait are in it as far as they have come. */
export async function previewPrompt(
  store: Store,
  api: ProviderApi,
  { tenant, settings, session, previous, input: submitted }: PreviewedSubmission,
): Promise<PromptPreview> {
  const references = submitted.flatMap((item) => (item.type === 'item_reference' ? [item.id] : []));
  const known = references.length === 0 ? new Map<string, Item>() : await store.findItems(tenant, references);
  const input = resolveReferences(submitted, known);
  if ('type' in input) return input;
  const leaf =
    session !== null
      ? (await store.readSession(tenant, session))?.leaf
      : previous !== null
        ? (await store.findTurn(tenant, previous))?.id
        : undefined;
  const past = leaf == null ? [] : await store.readTranscript(leaf, { isIncluded: true });
  const told = afterCompaction({ turns: past, input }, api);
  return { type: 'prompt', items: promptOf(told.turns, told.input, settings.model) };
}

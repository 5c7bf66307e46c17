/** The item `compaction_trigger`, which asks for what there is to be compacted: a setting of the turn, and nothing that was said. Pure. */
import { isCompactionTrigger } from '../../domain/prompt/compaction.ts';
import type { Submission } from '../../client/submission.ts';
import { ApiError } from '../http/errors.ts';

/** @throws ApiError 400 naming a trigger that is not the last item: what is behind it would be lost */
export function takeTrigger<Draft extends Pick<Submission, 'settings' | 'input'>>(draft: Draft): Draft {
  const { settings, input } = draft;
  const at = input.findIndex(isCompactionTrigger);
  if (at < 0) return draft;
  if (at < input.length - 1) {
    const message = `Invalid 'input[${at}]': a compaction_trigger must be the last item. Put it behind the others.`;
    throw new ApiError({ status: 400, param: `input[${at}]`, code: 'invalid_value', message });
  }
  return { ...draft, settings: { ...settings, compacts: true }, input: input.slice(0, -1) };
}

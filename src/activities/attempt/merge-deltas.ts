/** Deltas that come close together share an event of the journal. Pure. */
import type { Json } from '../../domain/item.ts';
import type { ModelDelta } from '../../domain/model.ts';
import { fieldsOf } from './delta-bytes.ts';

/** Adds a delta to those that wait: to the last of them, where both say more of the same. */
export function mergeInto(pending: ModelDelta[], delta: ModelDelta): void {
  const last = pending.at(-1);
  if (isText(delta) && last !== undefined && last.type === delta.type && last.item === delta.item && !hasNewMembers(last, delta)) {
    const fields = fieldsOf(delta);
    const merged = fields === undefined ? {} : { providerFields: { ...fieldsOf(last), ...fields } };
    const logprobs = logprobsOf(last, delta);
    pending[pending.length - 1] = { ...last, ...merged, ...logprobs, text: last.text + delta.text };
  } else {
    pending.push(delta);
  }
}

function logprobsOf(one: ModelDelta, other: ModelDelta): { readonly logprobs?: readonly Json[] } {
  if (one.type !== 'text' || other.type !== 'text' || (one.logprobs ?? other.logprobs) === undefined) return {};
  return { logprobs: [...(one.logprobs ?? []), ...(other.logprobs ?? [])] };
}

/** Two of the others, such as encrypted texts, cannot be merged into one. */
function isText({ type }: ModelDelta): boolean {
  return type === 'text' || type === 'refusal' || type === 'reasoning' || type === 'tool_call';
}

/**
 * Of a call: what it is begun with is in the event that begins it, and what is told later is not, however close they come. Who reads
 * the answer again relies on that.
 */
function hasNewMembers(before: ModelDelta, delta: ModelDelta): boolean {
  if (before.type !== 'tool_call' || delta.type !== 'tool_call' || delta.members === undefined) return false;
  return JSON.stringify(before.members) !== JSON.stringify(delta.members);
}

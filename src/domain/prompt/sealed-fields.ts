/**
 * What a chat provider wants to see again, as OpenAI's own `encrypted_content` of a reasoning item, for requests that ask for
 * that. Clients that keep the conversation themselves (Codex, the AI SDK) send it back as it is, and drop every field that
 * OpenAI does not have. It is opaque to them, not secret: the same stands in `provider_fields`, for those who keep it.
 */
import { isCall, type OutputItem, type ProviderFields, type ReasoningItem } from '../item.ts';

const mark = 'turnkeep:1:';

/** undefined where the item has none. */
export function sealOf({ provider_fields: fields }: ReasoningItem): string | undefined {
  return fields === undefined ? undefined : seal(fields);
}

/** Those of calls have no item of OpenAI's own: one behind the calls has them, as a list in their order, null for a call without. */
export function sealOfCalls(items: readonly { readonly item: OutputItem }[]): string | undefined {
  const calls = items.flatMap(({ item }) => (isCall(item) ? [item.provider_fields ?? null] : []));
  return calls.some((fields) => fields !== null) ? seal({ calls }) : undefined;
}

/** In UTF-16 code units. What is longer is neither given out nor read: it would keep everybody else waiting (T14). */
const longestSealed = 2_097_152;
/** Of lists and objects in one another. */
const deepest = 100;

function seal(fields: ProviderFields): string | undefined {
  const sealed = mark + Buffer.from(JSON.stringify(fields)).toString('base64url');
  return sealed.length > longestSealed ? undefined : sealed;
}

/** undefined: it was sealed by a provider, not here. Empty for what cannot be read. */
export function unsealFields(encrypted: string | undefined): ProviderFields | undefined {
  if (encrypted?.startsWith(mark) !== true) return undefined;
  if (encrypted.length > longestSealed) return {};
  try {
    const fields: unknown = JSON.parse(Buffer.from(encrypted.slice(mark.length), 'base64url').toString());
    const isRead = typeof fields === 'object' && fields !== null && !Array.isArray(fields) && !isDeeper(fields, deepest);
    return isRead ? (fields as ProviderFields) : {};
  } catch {
    return {};
  }
}

function isDeeper(value: unknown, than: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return than === 0 || Object.values(value).some((inner) => isDeeper(inner, than - 1));
}

/**
 * What a chat provider wants to see again, as OpenAI's own `encrypted_content` of a reasoning item, for requests that ask for
 * that. Clients that keep the conversation themselves (Codex, the AI SDK) send it back as it is, and drop every field that
 * OpenAI does not have. It is opaque to them, not secret: the same stands in `provider_fields`, for those who keep it.
 */
import { isCall, type OutputItem, type ProviderFields, type ReasoningItem } from './item.ts';

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

function seal(fields: ProviderFields): string {
  return mark + Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** undefined: it was sealed by a provider, not here. Empty for what cannot be read. */
export function unsealFields(encrypted: string | undefined): ProviderFields | undefined {
  if (encrypted?.startsWith(mark) !== true) return undefined;
  try {
    const fields: unknown = JSON.parse(Buffer.from(encrypted.slice(mark.length), 'base64url').toString());
    return typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? (fields as ProviderFields) : {};
  } catch {
    return {};
  }
}

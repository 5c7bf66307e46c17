/** What an API, or a server, has no place for, as text: the model learns that something was there. Pure. */
import type { ApprovalRequestItem, InputPart, MessagePart, OpaqueItem, WorkerCallItem } from '../item.ts';

/**
 * The text that replaces an image or a file where an API has no place for one. New input of that kind is rejected
 * before (`domain/provider-capabilities.ts`); this is for older turns that another provider answered, so that the model
 * learns that something is missing.
 */
export function placeholderText(part: Extract<InputPart, { readonly type: 'input_image' | 'input_file' }>): string {
  if (part.type === 'input_image') return '[an image that cannot be shown here]';
  return part.filename === undefined ? '[a file that cannot be shown here]' : `[the file ${part.filename}, which cannot be shown here]`;
}

/** A refusal becomes text: few servers take it in any other form. */
export function textOfPart(part: InputPart | MessagePart): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_image' || part.type === 'input_file' ? placeholderText(part) : part.text;
}

/** Much more than this is an image, or sealed. */
const longestOpaqueText = 8_000;

/** What a chat provider is told of an item that only the Responses API has: all that is in it, in words of JSON. */
export function opaqueText({ id: _ours, type, ...rest }: OpaqueItem | WorkerCallItem | ApprovalRequestItem): string {
  const text = JSON.stringify(rest);
  return `[${type}: ${text.length > longestOpaqueText ? `${text.slice(0, longestOpaqueText).toWellFormed()}… (cut)` : text}]`;
}

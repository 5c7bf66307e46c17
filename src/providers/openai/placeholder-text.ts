/**
 * What stands in for an image or a file where an API has no place for it. A request that names one there is refused
 * (`unsupported.ts`); this is for transcripts that came about with another provider: told to be missing, never dropped.
 */
import type { InputPart } from '../../domain/item.ts';

export function placeholderText(part: Extract<InputPart, { readonly type: 'input_image' | 'input_file' }>): string {
  if (part.type === 'input_image') return '[an image that cannot be shown here]';
  return part.filename === undefined ? '[a file that cannot be shown here]' : `[the file ${part.filename}, which cannot be shown here]`;
}

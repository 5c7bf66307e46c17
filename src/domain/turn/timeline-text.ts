/** How times, long texts and items stand in the report of a turn. Pure. */

/** Of arguments, and of what a turn was asked, in UTF-16 units. */
const longestPreview = 1_000;

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The beginning of a text, in whole characters; with a mark at its end where it is longer. */
export function preview(text: string): string {
  if (text.length <= longestPreview) return text;
  return `${text.slice(0, longestPreview).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** What a turn was asked, in short. */
export interface PreviewedItem {
  readonly type: string;
  readonly role?: string;
  /** Its words; of an item without any, empty. */
  readonly text: string;
}

/** An item of an input, as far as it is read here: it may come from a file. */
interface AnyItem {
  readonly type: string;
  readonly role?: unknown;
  readonly content?: unknown;
  readonly output?: unknown;
}

export function previewOf({ type, role, content, output }: AnyItem): PreviewedItem {
  return { type, ...(typeof role === 'string' ? { role } : {}), text: preview(textOf(content ?? output)) };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value
    .map((part: { readonly type?: string; readonly text?: unknown }) => (typeof part.text === 'string' ? part.text : `[${part.type}]`))
    .join(' ');
}

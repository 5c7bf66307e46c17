/** How times and long texts stand in the report of a turn. */

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

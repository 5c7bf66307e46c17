/** The messages that stay as they were said, beside the compaction of what was said before. Pure. */
import type { InputMessage, Item } from '../item.ts';

/** Of the messages that a compaction leaves as they are, all members in UTF-16 code units: some 16,000 tokens. */
export const longestKept = 65_536;

/** How much of the user's messages is kept where a context holds so many tokens: a quarter of it, at four characters a token. */
export function keptCharsOf(contextTokens: number): number {
  return Math.min(longestKept, Math.max(1, Math.floor(contextTokens)));
}

interface Kept {
  /** Of the user's messages, the newest first. */
  readonly keptChars?: number;
  /** How long the very newest of them may be. */
  readonly newestChars?: number;
}

/**
 * What is kept word for word beside a compaction: messages of the system and of developers, which hold on, and the newest
 * ones of the user that there is room for. The very newest may take twice the room.
 */
export function keptMessages(
  items: readonly Item[],
  { keptChars = longestKept, newestChars = 2 * keptChars }: Kept = {},
): readonly InputMessage[] {
  let left = keptChars;
  let longest = newestChars;
  const kept: InputMessage[] = [];
  for (const item of items.toReversed()) {
    if (item.type !== 'message' || item.role === 'assistant') continue;
    if (item.role === 'user') {
      const size = left <= 0 ? 0 : JSON.stringify(item.content).length;
      const isKept = left > 0 && size < longest;
      left -= size;
      longest = left;
      if (!isKept) continue;
    }
    kept.push(item);
  }
  return kept.toReversed();
}

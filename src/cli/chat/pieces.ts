/** What is to be shown of a turn's stream, event by event. */
import { type Ending, endingOf } from './progress.ts';
import type { StreamEvent } from './stream-event.ts';

export type Piece =
  /** Words of the answer, as they come. */
  | { readonly kind: 'answer'; readonly text: string }
  /** Words of the reasoning, as they come: dim, and no part of the answer. */
  | { readonly kind: 'reasoning'; readonly text: string }
  /** What follows is set off from what was said before, if anything was. */
  | { readonly kind: 'paragraph' }
  /** One quiet line beside the answer. */
  | { readonly kind: 'notice'; readonly text: string }
  /** Nothing more of this answer. */
  | { readonly kind: 'end' };

const longestArguments = 80;

export function piecesOf(event: StreamEvent): readonly Piece[] {
  const { type, delta = '', item } = event;
  switch (type) {
    case 'response.output_text.delta':
    case 'response.refusal.delta':
      return [{ kind: 'answer', text: delta }];
    case 'response.reasoning_summary_text.delta':
    case 'response.reasoning_text.delta':
      return [{ kind: 'reasoning', text: delta }];
    case 'response.reasoning_summary_part.added':
      return (event.summary_index ?? 0) > 0 ? [{ kind: 'reasoning', text: '\n\n' }] : [];
    case 'response.output_item.added':
      return item?.type === 'message' ? [{ kind: 'paragraph' }] : [];
    case 'response.content_part.added':
      return (event.content_index ?? 0) > 0 ? [{ kind: 'paragraph' }] : [];
    case 'response.output_item.done':
      return item?.type === 'function_call' ? [{ kind: 'notice', text: `calls ${item.name ?? '?'}(${cut(item.arguments ?? '')})` }] : [];
    default: {
      const ending = endingOf(event);
      if (ending === undefined) return [];
      const notice = endingNotice(ending);
      return [{ kind: 'end' }, ...(notice === undefined ? [] : [{ kind: 'notice', text: notice } as const])];
    }
  }
}

/** How a turn ended that did not complete, in one line. */
export function endingNotice(ending: Ending): string | undefined {
  switch (ending.status) {
    case 'completed':
      return undefined;
    case 'cancelled':
      return 'stopped; what was said is kept';
    case 'incomplete':
      return `incomplete: ${ending.reason}`;
    case 'failed':
      return `failed: ${ending.code}: ${oneLine(ending.message)}`;
  }
}

/** Retries travel as comments of the stream; its other comments only keep it open. */
export function noticeOfComment(comment: string): Piece | undefined {
  const text = comment.trim();
  return text.startsWith('retry ') ? { kind: 'notice', text: oneLine(text) } : undefined;
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function cut(text: string): string {
  return text.length > longestArguments ? `${text.slice(0, longestArguments)}…` : text;
}

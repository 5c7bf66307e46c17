/** What is to be shown of a turn's stream, event by event. */
import { outcomeOf, type ResponseOutcome, type StreamEvent } from '../../http-client/events.ts';

export type Piece =
  /** Text of the answer, as it comes. */
  | { readonly kind: 'answer'; readonly text: string }
  /** Text of the reasoning, as it comes: dim, and no part of the answer. */
  | { readonly kind: 'reasoning'; readonly text: string }
  /** A blank line between the text before it, if there is any, and the text after it. */
  | { readonly kind: 'paragraph' }
  /** One dim line that is no part of the answer. */
  | { readonly kind: 'notice'; readonly text: string }
  /** A call of a tool that runs from now on. Its line is left open for its end. */
  | { readonly kind: 'call'; readonly id: string; readonly text: string }
  | { readonly kind: 'call_end'; readonly id: string; readonly text: string; readonly end: string }
  /** The end of the answer. */
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
      const outcome = outcomeOf(event);
      if (outcome === undefined) return [];
      const notice = noticeOfOutcome(outcome);
      return [{ kind: 'end' }, ...(notice === undefined ? [] : [{ kind: 'notice', text: notice } as const])];
    }
  }
}

/** How a turn ended that did not complete, in one line. */
function noticeOfOutcome(outcome: ResponseOutcome): string | undefined {
  switch (outcome.status) {
    case 'completed':
      return undefined;
    case 'cancelled':
      return 'stopped; what was said is kept';
    case 'incomplete':
      return `incomplete: ${outcome.reason}`;
    case 'failed':
      return `failed: ${outcome.code}: ${oneLine(outcome.message)}`;
  }
}

/** The gateway reports a retry as a comment of the stream; its other comments only keep the connection open. */
export function noticeOfComment(comment: string): Piece | undefined {
  const text = comment.trim();
  return text.startsWith('retry ') ? { kind: 'notice', text: oneLine(text) } : undefined;
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

export function cut(text: string): string {
  return text.length > longestArguments ? `${text.slice(0, longestArguments)}…` : text;
}

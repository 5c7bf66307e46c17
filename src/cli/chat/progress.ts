/** How far a turn has been followed, and how it ended. */
import type { StreamEvent } from './stream-event.ts';

export type Ending =
  | { readonly status: 'completed' | 'cancelled' }
  | { readonly status: 'incomplete'; readonly reason: string }
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

export interface Progress {
  readonly id: string | undefined;
  /** `sequence_number` of the last event seen; -1 before the first. */
  readonly lastSeq: number;
  readonly ending: Ending | undefined;
}

export const atStart: Progress = { id: undefined, lastSeq: -1, ending: undefined };

/** Seen before: a stream that was asked for from its first event again. */
export function isRepeat({ lastSeq }: Progress, { sequence_number: seq }: StreamEvent): boolean {
  return seq !== undefined && seq <= lastSeq;
}

export function advance(progress: Progress, event: StreamEvent): Progress {
  return {
    id: progress.id ?? event.response?.id,
    lastSeq: event.sequence_number ?? progress.lastSeq,
    ending: progress.ending ?? endingOf(event),
  };
}

export function endingOf({ type, response, error, code, message }: StreamEvent): Ending | undefined {
  switch (type) {
    case 'response.completed':
      return { status: 'completed' };
    case 'response.incomplete': {
      const reason = response?.incomplete_details?.reason ?? 'unknown';
      return response?.status === 'cancelled' ? { status: 'cancelled' } : { status: 'incomplete', reason };
    }
    case 'response.failed':
      return failed(response?.error?.code, response?.error?.message);
    case 'error':
      return failed(error?.code ?? code, error?.message ?? message);
    default:
      return undefined;
  }
}

function failed(code = 'unknown', message = 'the gateway does not say why'): Ending {
  return { status: 'failed', code, message };
}

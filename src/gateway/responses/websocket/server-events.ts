/** What goes to a client over a WebSocket and is in no journal. */
import type { ApiError } from '../../http/errors.ts';

/** Both shapes that OpenAI's clients read: flat, as in a stream of events, and nested with the status, as over a WebSocket. */
export function errorEvent(error: ApiError, streamId?: string): string {
  const { status, headers } = error.fields;
  const { message, type, param, code } = error.body;
  return JSON.stringify({
    type: 'error',
    status,
    code,
    message,
    param,
    error: { type, code, message, param, ...(headers === undefined ? {} : { headers }) },
    ...streamOf(streamId),
  });
}

/** Behind the last event of a response that was resumed: `[DONE]` in a stream of events. */
export function resumeDoneEvent(responseId: string, streamId: string | undefined): string {
  return JSON.stringify({ type: 'response.resume.done', response_id: responseId, ...streamOf(streamId) });
}

export function streamOf(streamId: string | undefined): { readonly stream_id?: string } {
  return streamId === undefined ? {} : { stream_id: streamId };
}

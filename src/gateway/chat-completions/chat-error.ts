/** A turn that failed, as Chat Completions tells of errors: docs/decisions/0006-chat-completions-errors.md. */
import type { ApiErrorFields } from '../http/errors.ts';

interface TurnError {
  readonly code: string;
  readonly message: string;
}

export interface ChatError {
  readonly message: string;
  readonly type: string;
  readonly param: null;
  readonly code: string;
}

/** OpenAI's own code and type, which clients look for to shorten their prompt. */
const tooLong = 'context_length_exceeded';

export function chatErrorOf({ code, message }: TurnError): ChatError {
  return { message, type: code === tooLong ? 'invalid_request_error' : 'server_error', param: null, code };
}

/**
 * 424 (Failed Dependency) is a status that no client and no proxy asks again by itself, as they do with 408, 409, 429
 * and 5xx: turnkeep has made the attempts that may be made.
 */
export function statusOf({ code }: TurnError): ApiErrorFields['status'] {
  return code === tooLong ? 400 : 424;
}

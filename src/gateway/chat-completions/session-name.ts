/** Which conversation a Chat Completions request belongs to. The API has no field for it; clients have several. Pure. */
import { idInHeader } from '../http/request-fields.ts';
import { submitHeaders } from '../submit/submit-turn.ts';
import type { ChatRequest } from './request-schema.ts';

export interface SessionName {
  readonly name: string;
  /**
   * From a header that a chat UI adds to all its requests: also to those for a title, tags or a search query of the same
   * chat, and always with the whole history.
   */
  readonly isFromUi: boolean;
}

const sessionHeader = 'x-turnkeep-session';
/**
 * Of Open WebUI (`ENABLE_FORWARD_USER_INFO_HEADERS`), and those that LibreChat's documentation and its users fill with
 * `{{LIBRECHAT_BODY_CONVERSATIONID}}`.
 */
const uiHeaders = ['x-openwebui-chat-id', 'x-librechat-conversation-id', 'x-conversation-id'] as const;

const uiHeader = idInHeader.meta({ description: 'The chat of the user interface that this turn belongs to.' });

export const chatHeaders = submitHeaders.extend({
  [sessionHeader]: idInHeader.meta({ description: 'The conversation this turn belongs to, by id or by a name of your own.' }),
  ...(Object.fromEntries(uiHeaders.map((name) => [name, uiHeader])) as Record<(typeof uiHeaders)[number], typeof uiHeader>),
});

/** undefined: the request belongs to no conversation. */
export function sessionNameOf(header: (name: string) => string | undefined, body: ChatRequest): SessionName | undefined {
  const { conversation, session_id } = body;
  const explicit = header(sessionHeader) ?? (typeof conversation === 'string' ? conversation : conversation?.id) ?? session_id;
  if (explicit != null && explicit !== '') return { name: explicit, isFromUi: false };
  const name = uiHeaders.map(header).find(isName);
  return name === undefined ? undefined : { name, isFromUi: true };
}

/** Before there is a conversation LibreChat sends `new`, or its placeholder as it stands. */
function isName(value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== 'new' && !value.startsWith('{{');
}

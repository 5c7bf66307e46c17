/** Which conversation a Chat Completions request belongs to: the API has no word for it, its users have several. Pure. */
import { z } from 'zod';
import { submitHeaders } from '../submit.ts';
import type { ChatRequest } from './request-schema.ts';

export interface SessionName {
  readonly name: string;
  /**
   * A user interface's own header. It comes with requests of other kinds too (a title, tags, a search query for the same
   * chat), and with the whole history each time.
   */
  readonly isOfInterface: boolean;
}

const ourHeader = 'x-turnkeep-session';
/**
 * Open WebUI (`ENABLE_FORWARD_USER_INFO_HEADERS`), and the headers that LibreChat's documentation and its users give
 * `{{LIBRECHAT_BODY_CONVERSATIONID}}` to.
 */
const interfaceHeaders = ['x-openwebui-chat-id', 'x-librechat-conversation-id', 'x-conversation-id'];

export const chatHeaders = submitHeaders.extend({
  [ourHeader]: z.string().optional().meta({ description: 'The conversation this turn belongs to, by id or by a name of your own.' }),
});

/** undefined: the request stands for itself. */
export function sessionNameOf(header: (name: string) => string | undefined, body: ChatRequest): SessionName | undefined {
  const { conversation, session_id } = body;
  const explicit = header(ourHeader) ?? (typeof conversation === 'string' ? conversation : conversation?.id) ?? session_id;
  if (explicit != null && explicit !== '') return { name: explicit, isOfInterface: false };
  const name = interfaceHeaders.map(header).find(isName);
  return name === undefined ? undefined : { name, isOfInterface: true };
}

/** LibreChat sends its placeholder as it is, or `new`, where there is no conversation yet. */
function isName(value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== 'new' && !value.startsWith('{{');
}

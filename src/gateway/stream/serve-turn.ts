/** Answers a request with the events of a turn, in whichever protocol: replayed from any point, then live. */
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { OmittedField } from '../../domain/response/response-settings.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { ApiError } from '../http/errors.ts';
import type { GatewayEnv } from '../http/route.ts';
import { acknowledgeOnceSent } from './acknowledge.ts';
import type { TurnEncoder } from './encode.ts';
import { retryNotice } from './retry-notice.ts';
import { writeSse } from './sse.ts';
import type { ViewerLog } from './viewer-log.ts';
import { watchViewer } from './watch-viewer.ts';

export interface ServeDeps {
  readonly turnkeep: Turnkeep;
  /** Gets what fails once the headers are out, when no error response can be sent any more. */
  readonly onStreamError: (error: unknown) => void;
  /** How long a stream is silent before a comment is sent; 15 s by default. */
  readonly idleCommentMs?: number | undefined;
  /** Where it is noted who follows a turn; nowhere where nothing is said. */
  readonly viewers?: ViewerLog | undefined;
}

/**
 * @param after the `sequence_number` of the last event that the viewer has; -1 for none
 * @throws ApiError 410 where the events have been dropped: they go before the turn does
 */
export async function serveTurn(
  c: Context<GatewayEnv>,
  deps: ServeDeps,
  turn: TurnRow,
  encoder: TurnEncoder,
  after = -1,
): Promise<Response> {
  const { turnkeep, onStreamError, idleCommentMs, viewers } = deps;
  await assertReplayable(turnkeep, turn);
  acknowledgeOnceSent(c, deps, turn);
  c.set('isStream', true);
  const viewer = watchViewer(viewers, c.env.outgoing, { turn: turn.id, protocol: encoder.protocol ?? 'sse', after });
  writeSse({
    outgoing: c.env.outgoing,
    signal: c.get('closed'),
    encoder,
    rows: (signal) => turnkeep.follow(turn.id, after, signal),
    hasEnded: () => turnkeep.hasEnded(turn.id),
    headers: idHeaders(c, turn),
    idleCommentMs,
    onWritten: viewer?.saw,
    notice: () => retryNotice(turnkeep, turn.id),
  }).catch(onStreamError);
  return RESPONSE_ALREADY_SENT;
}

/** @throws ApiError 410 where the events have been dropped */
export async function assertReplayable(turnkeep: Turnkeep, turn: TurnRow): Promise<void> {
  if (turn.erasedBy !== null || (turn.settledAtMs !== null && !(await turnkeep.hasJournal(turn)))) throw expired(turn);
}

export function expired({ publicId }: TurnRow): ApiError {
  return new ApiError({
    status: 410,
    code: 'response_expired',
    message: `Response '${publicId}' is older than TURNKEEP_RETENTION_DAYS: it is gone.`,
  });
}

/** On every response about a turn. */
export function idHeaders(c: Context<GatewayEnv>, turn: TurnRow): Readonly<Record<string, string>> {
  const { omitted_tools: tools = [], omitted_fields: fields = [] } = turn.settings;
  const omitted = [...fields, ...tools];
  return {
    'x-turnkeep-response-id': turn.publicId,
    'x-request-id': c.get('requestId'),
    ...(omitted.length === 0 ? {} : { 'x-turnkeep-omitted': omittedText(omitted) }),
  };
}

/** A client may offer a thousand tools, and clients and proxies take a few KB of headers. `/turns/{id}` names all. */
const longestOmitted = 2_000;

function omittedText(omitted: readonly OmittedField[]): string {
  const text = omitted.map(({ param, type }) => `${param}=${type}`).join(', ');
  return text.length <= longestOmitted ? text : `${text.slice(0, longestOmitted).replace(/,[^,]*$/, '')}, ...`;
}

/** `GET /v1/responses` with a WebSocket's handshake: the Responses API over one connection. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { type WebSocket, WebSocketServer } from 'ws';
import { upgradeOf } from '../../../http/upgrade.ts';
import { ApiError } from '../../http/errors.ts';
import { errorResponses, errorSchema } from '../../http/response-schemas.ts';
import type { Authenticator } from '../../http/auth.ts';
import { type GatewayEnv, headerOf, type Routes } from '../../http/route.ts';
import { submitHeaders } from '../../submit/submit-turn.ts';
import { ClientSocket, socketLimits, type SocketLimits } from './client-socket.ts';
import { Connection, type ConnectionDeps } from './connection.ts';

/** Half of a request's body: `ws` puts a message together and unmasks it in one go, 18 ms of the event loop for this many (T14). */
const maxMessageBytes = 16 * 1024 * 1024;

/** As a gateway that shuts down sees it. */
interface OpenConnection {
  /** Takes in nothing new, and closes when nothing runs. */
  drain(): void;
  cut(): void;
  readonly closed: AbortSignal;
}

/** The WebSockets of a gateway: it cannot end before they have. */
export class OpenConnections {
  readonly #open = new Set<OpenConnection>();

  add(connection: OpenConnection): void {
    this.#open.add(connection);
    connection.closed.addEventListener('abort', () => {
      this.#open.delete(connection);
    });
  }

  drain(): void {
    for (const each of this.#open) each.drain();
  }

  /** Cuts what has not closed yet: viewers resume elsewhere. */
  cut(): void {
    for (const each of this.#open) each.cut();
  }
}

export interface WebSocketDeps extends Omit<ConnectionDeps, 'budget' | 'contextBudget'> {
  readonly connections: OpenConnections;
  readonly authenticate: Authenticator;
  readonly socketLimits?: SocketLimits | undefined;
}

export function webSocketRoute(routes: Routes, deps: WebSocketDeps, budgets: Pick<ConnectionDeps, 'budget' | 'contextBudget'>): void {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    // Whoever parses a message decodes it, and tells what is wrong.
    skipUTF8Validation: true,
  });
  routes.add(
    {
      method: 'get',
      path: '/responses',
      tag: 'Responses',
      scope: 'write',
      summary: 'Begin and follow turns over a WebSocket',
      description:
        "The handshake of a WebSocket. Clients send `response.create` with the fields of `POST /v1/responses`, `response.steer`, `response.cancel` and `response.resume`; each message of the server is an event, the same text as a stream's `data`. See docs/websocket.md.",
      headers: submitHeaders.pick({ 'x-turnkeep-when-busy': true }),
      responses: {
        101: { description: 'The connection is a WebSocket now.' },
        426: { description: 'It was no handshake.', schema: errorSchema },
        ...errorResponses(400, 401, 429, 503),
      },
    },
    (c, { headers }) => {
      open(c, { server, deps: { ...deps, ...budgets }, headers });
      return RESPONSE_ALREADY_SENT;
    },
  );
}

interface OpenOptions {
  readonly server: WebSocketServer;
  readonly deps: WebSocketDeps & ConnectionDeps;
  readonly headers: { readonly 'x-turnkeep-when-busy'?: 'enqueue' | 'reject' | 'interrupt' | undefined };
}

/** @throws ApiError where this is no handshake, or none that can be accepted now */
function open(c: Context<GatewayEnv>, { server, deps, headers }: OpenOptions): void {
  const upgrade = upgradeOf(c.env.incoming);
  if (upgrade === undefined) {
    throw new ApiError({
      status: 426,
      code: 'websocket_expected',
      message: 'GET of this path opens a WebSocket. POST begins a turn.',
      headers: { upgrade: 'websocket', connection: 'upgrade' },
    });
  }
  for (const name of ['idempotency-key', 'x-turnkeep-response-id']) {
    if (headerOf(c, name) === undefined) continue;
    throw new ApiError({
      status: 400,
      param: name,
      code: 'unsupported_parameter',
      message: `Unsupported '${name}': it is about one response, and a connection brings many. Send it as a field of response.create.`,
    });
  }
  if (deps.isDraining()) {
    throw new ApiError({
      status: 503,
      code: 'draining',
      message: 'This gateway is shutting down. Connect again: another one takes it, or this one when it is back.',
      headers: { 'retry-after': '1' },
    });
  }
  const requestId = c.get('requestId');
  const refused: Error[] = [];
  const onRefused = (error: Error): void => {
    refused.push(error);
  };
  const onHeaders = (lines: string[]): void => {
    lines.push(`x-request-id: ${requestId}`);
  };
  server.on('wsClientError', onRefused).on('headers', onHeaders);
  // Both come at once, or not at all.
  server.handleUpgrade(c.env.incoming, upgrade.socket, upgrade.head, (socket) => {
    upgrade.accept();
    begin(c, { socket, raw: upgrade.socket, deps, headers });
  });
  server.off('wsClientError', onRefused).off('headers', onHeaders);
  for (const { message } of refused) {
    throw new ApiError({ status: 400, code: 'invalid_http', message: `This is not a valid handshake: ${message}.` });
  }
}

function begin(
  c: Context<GatewayEnv>,
  { socket, raw, deps, headers }: Omit<OpenOptions, 'server'> & { readonly socket: WebSocket; readonly raw: ClientSocketRaw },
): void {
  const upgraded = { isCut: true };
  c.set('upgraded', upgraded);
  c.set('isStream', true);
  const tenant = c.get('tenant');
  const { idleCommentMs } = deps;
  const limits = deps.socketLimits ?? (idleCommentMs === undefined ? socketLimits : { ...socketLimits, pingEveryMs: idleCommentMs });
  const client = new ClientSocket({
    socket,
    raw,
    limits,
    incoming: deps.budget.open(tenant),
    hasUntakenEnd: () => connection.hasUntakenEnd(),
  });
  const authorization = headerOf(c, 'authorization');
  const checkKey = async (): Promise<void> => void (await deps.authenticate(authorization));
  const connection = new Connection({ deps, client, tenant, checkKey, headers, requestId: c.get('requestId'), gone: c.get('closed') });
  socket.on('message', (data: Buffer, isBinary) => {
    connection.receive(data, isBinary);
  });
  socket.once('close', (code) => {
    // 1006: without a close frame.
    upgraded.isCut = code === 1006;
    if (!upgraded.isCut) client.closedProperly();
  });
  deps.connections.add({
    drain: () => {
      connection.drain();
    },
    cut: () => {
      client.terminate();
    },
    closed: c.get('closed'),
  });
}

type ClientSocketRaw = ConstructorParameters<typeof ClientSocket>[0]['raw'];

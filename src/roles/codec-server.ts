/**
 * `turnkeep codec-server`: decrypts for Temporal's UI and command line what they show of histories, by the protocol that they
 * ask codec servers by (`POST /decode` and `/encode`, payloads in protobuf's JSON).
 *
 * It is a process of its own, and no route of a gateway: whoever may call it reads what every tenant's workflows hold, and it
 * belongs where Temporal's UI is, not where clients are. It needs neither database nor Temporal.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Payload, SerializationContext } from '@temporalio/common';
import type { Logger } from 'pino';
import { z } from 'zod';
import { createEncryption } from '../codec/encryption.ts';
import type { CodecServerConfig } from '../config/codec-server-config.ts';
import { keyFinder } from '../gateway/http/auth.ts';
import { readJson } from '../gateway/http/body.ts';
import { ApiError, asApiError } from '../gateway/http/errors.ts';
import { validate } from '../gateway/http/validate.ts';
import { createHttpServer, listen } from '../http/server.ts';

export interface CodecServer {
  readonly url: string;
  close(): Promise<void>;
}

const base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const payloadsSchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })),
});

const allowedHeaders = 'authorization, content-type, x-namespace';
const preflightMaxAgeSeconds = 3_600;

/** @throws when the port is taken */
export async function startCodecServer({
  config,
  log,
}: {
  readonly config: CodecServerConfig;
  readonly log: Logger;
}): Promise<CodecServer> {
  const codec = createEncryption(config.codecKeys, { checksPlace: true });
  const nameOf = keyFinder(config.callers);
  const isAllowed = (origin: string | undefined): origin is string => origin !== undefined && config.origins.includes(origin);

  function callerOf({ headers }: IncomingMessage): string {
    const caller = nameOf(secretOf(headers.authorization));
    if (caller !== undefined) return caller;
    // Browsers ask for user and password then, and send them with the calls of Temporal's UI too.
    const challenge = 'Basic realm="turnkeep codec-server", charset="UTF-8"';
    throw new ApiError({
      status: 401,
      code: 'invalid_api_key',
      message:
        'Missing or unknown key. Send a secret of TURNKEEP_CODEC_SERVER_KEYS as "Authorization: Bearer <secret>", or as the password of Basic authentication.',
      headers: { 'www-authenticate': challenge },
    });
  }

  async function convert(incoming: IncomingMessage, path: '/decode' | '/encode'): Promise<Response> {
    const caller = callerOf(incoming);
    const { payloads } = validate(payloadsSchema, await readJson(incoming)) as z.output<typeof payloadsSchema>;
    const namespace = String(incoming.headers['x-namespace'] ?? '');
    const given = payloads.map(({ metadata, data }): Payload => ({ metadata: metadata ?? {}, data: data ?? new Uint8Array() }));
    log.info({ caller, namespace, path, payloads: given.length }, 'payloads asked for');
    const context: SerializationContext | undefined = namespace === '' ? undefined : { type: 'activity', namespace, isLocal: false };
    const converted = await codec[path === '/decode' ? 'decode' : 'encode'](given, context).catch((error: unknown) => {
      throw new ApiError({ status: 400, code: 'payload_not_decrypted', message: error instanceof Error ? error.message : String(error) });
    });
    return Response.json({ payloads: converted.map(jsonOf) });
  }

  async function answer(incoming: IncomingMessage): Promise<Response> {
    const { method = '', headers } = incoming;
    const path = incoming.url?.split('?')[0] ?? '/';
    if (path === '/healthz') return Response.json({ status: 'ok' });
    if (method === 'OPTIONS' && isAllowed(headers.origin)) {
      const preflight = { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': allowedHeaders };
      return new Response(null, { status: 204, headers: { ...preflight, 'access-control-max-age': String(preflightMaxAgeSeconds) } });
    }
    if (path === '/' && method === 'GET') {
      return new Response(`Signed in as ${callerOf(incoming)}: Temporal's UI may decode in this browser now.\n`);
    }
    if (path !== '/decode' && path !== '/encode') {
      throw new ApiError({ status: 404, code: 'unknown_url', message: `Unknown URL: ${path}. There are POST /decode and POST /encode.` });
    }
    if (method !== 'POST') {
      throw new ApiError({ status: 405, code: 'method_not_allowed', message: `${path} takes POST.`, headers: { allow: 'POST' } });
    }
    return convert(incoming, path);
  }

  const server = createHttpServer((incoming, outgoing) => {
    // Caches must know that the response differs by origin.
    outgoing.setHeader('vary', 'Origin');
    outgoing.setHeader('cache-control', 'no-store');
    if (isAllowed(incoming.headers.origin)) {
      outgoing.setHeader('access-control-allow-origin', incoming.headers.origin);
      outgoing.setHeader('access-control-allow-credentials', 'true');
    }
    answer(incoming)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) log.error({ err: error }, 'request failed');
        return asApiError(error).toResponse();
      })
      .then((response) => send(response, outgoing))
      .catch((error: unknown) => {
        log.error({ err: error }, 'a response could not be sent');
        outgoing.destroy();
      });
  });
  const { port } = await listen(server, {
    host: config.host,
    port: config.port,
    onError: (error) => {
      log.error({ err: error }, 'a connection could not be accepted');
    },
  });
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    async close() {
      server.closeIdleConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Of `Bearer SECRET`, or of `Basic` with the secret for a password and any user. */
function secretOf(authorization = ''): string {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) (.+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== 'basic') return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function jsonOf({ metadata, data }: Payload): object {
  const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return {
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, bytes]) => [name, encoded(bytes)])),
    data: encoded(data ?? new Uint8Array()),
  };
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(Buffer.from(await response.arrayBuffer()));
}

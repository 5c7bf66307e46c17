/** A Temporal that wants client certificates, and a key where a test says so: TLS in front of a dev server, which knows neither. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificates.ts';

export interface TemporalProxyOptions {
  /** Of the dev server. */
  readonly address: string;
  readonly server: Certificate;
  /** The certificate of the authority whose clients are let in. */
  readonly clientAuthority: string;
  /** Only calls that carry this key are passed on. */
  readonly apiKey?: string;
}

export interface TemporalProxy extends AsyncDisposable {
  readonly port: number;
}

const unauthenticated = '16';

export async function startTemporalProxy({ address, server, clientAuthority, apiKey }: TemporalProxyOptions): Promise<TemporalProxy> {
  const upstream = connect(`http://${address}`);
  const proxy = createSecureServer({
    cert: readFileSync(server.cert),
    key: readFileSync(server.key),
    ca: readFileSync(clientAuthority),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const sessions = new Set<{ destroy(): void }>();
  proxy.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => undefined);
  });
  proxy.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (apiKey !== undefined && headers.authorization !== `Bearer ${apiKey}`) {
      stream.respond({
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': unauthenticated,
        'grpc-message': 'Request unauthorized.',
      });
      stream.end();
    } else passOn(stream, headers, upstream);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

function passOn(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, upstream: ReturnType<typeof connect>): void {
  const request = upstream.request(Object.fromEntries(Object.entries(headers).filter(([name]) => name !== ':authority')));
  request.on('response', (answer) => {
    if (stream.closed) return;
    stream.respond(answer, { waitForTrailers: true });
    request.pipe(stream);
  });
  let trailers: IncomingHttpHeaders = {};
  request.on('trailers', (last) => {
    trailers = last;
  });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  request.on('error', () => {
    stream.destroy();
  });
  stream.on('aborted', () => {
    request.destroy();
  });
  stream.pipe(request);
}

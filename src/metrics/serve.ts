/** `/metrics` and `/healthz` of a process that has no gateway. */
import { createHttpServer, listen } from '../http/server.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws when the port is taken */
export async function serveMetrics(
  metrics: Metrics,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createHttpServer((incoming, outgoing) => {
    const path = incoming.url?.split('?')[0];
    if (path === '/metrics') {
      metrics.text().then(
        (text) => outgoing.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        () => outgoing.writeHead(500).end(),
      );
    } else if (path === '/healthz') {
      outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
    } else {
      outgoing.writeHead(404).end();
    }
  });
  // Metrics that cannot be had are no reason to end the turns of this process.
  const address = await listen(server, { host, port, onError: () => undefined });
  return {
    port: address.port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

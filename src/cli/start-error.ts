/** Why a command cannot start, in words for whoever runs it: what keeps a server from listening, for one. */
import type { Config } from '../config/config.ts';

/** Why a command cannot start, as one line that says the way out. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

type ListenError = NodeJS.ErrnoException & { readonly port?: number; readonly address?: string };

/** Any other error is returned as it is. */
export function explainListening(
  error: unknown,
  { host, metricsPort, port: gatewayPort }: Pick<Config, 'host' | 'port' | 'metricsPort'>,
): unknown {
  if (!(error instanceof Error) || (error as ListenError).syscall !== 'listen') return error;
  const { code, port } = error as ListenError;
  const setting =
    port === metricsPort && port !== gatewayPort ? 'TURNKEEP_METRICS_PORT (--metrics-port)' : 'TURNKEEP_PORT (--port; 0 takes a free one)';
  const reasons: { readonly [code: string]: string } = {
    EADDRINUSE: `port ${port} of ${host} is taken: stop what listens there, or give another with ${setting}.`,
    EACCES: `port ${port} is not for this user: give one above 1023 with ${setting}.`,
    EADDRNOTAVAIL: `${host} is no address of this machine: TURNKEEP_HOST (--host) is 127.0.0.1 for this machine alone, 0.0.0.0 for all that reach it.`,
    ENOTFOUND: `${host} is a name that nobody knows: see TURNKEEP_HOST (--host).`,
  };
  const reason = reasons[code ?? ''];
  return reason === undefined ? error : new StartError(reason, { cause: error });
}

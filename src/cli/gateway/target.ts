/** Which gateway a command talks to, with which key, and what to do when it cannot. */
import { resolve } from 'node:path';
import { ConfigError } from '../../config/config.ts';
import type { CallFailure } from '../../http-client/call-error.ts';
import type { GatewayClientOptions } from '../../http-client/calls.ts';
import { findRunningDev } from '../dev-server/data-dir.ts';
import type { GatewayFlags } from './flags.ts';

const fallbackUrl = 'http://127.0.0.1:8484/v1';

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws {ConfigError} when the address is none */
export function gatewayTarget(flags: GatewayFlags, env: Environment): GatewayClientOptions {
  const apiKey = flags.apiKey || env['TURNKEEP_API_KEY'] || undefined;
  const [name, url] = flags.url ? ['--url', flags.url] : ['TURNKEEP_URL', env['TURNKEEP_URL']];
  if (url) {
    const parsed = URL.parse(url);
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash) {
      throw new ConfigError([`${name} must be the http:// or https:// address of a gateway, such as ${fallbackUrl}; it is "${url}"`]);
    }
    return { baseUrl: url.replace(/\/+$/, ''), apiKey };
  }
  const dataDir = resolve(flags.dataDir || env['TURNKEEP_DATA_DIR'] || '.turnkeep');
  let last = fallbackUrl;
  // A dev that was started again may be at another port.
  return { baseUrl: () => (last = baseUrlOfDev(dataDir) ?? last), apiKey };
}

function baseUrlOfDev(dataDir: string): string | undefined {
  try {
    return findRunningDev(dataDir)?.baseUrl;
  } catch {
    // A data dir that cannot be read names no dev.
    return undefined;
  }
}

/** A gateway that cannot be asked. The message is for the user, with what to do. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
}

/** The message of a `GatewayError`. */
export function gatewayProblem(url: string, failure: CallFailure): string {
  if (failure.type === 'unreachable') {
    return `No turnkeep gateway answers at ${url} (${failure.detail}). Start one with \`turnkeep dev\` (in a checkout: npm start), or name another with --url or TURNKEEP_URL.`;
  }
  const { status, code, message } = failure;
  if (code === 'insufficient_scope') return `The gateway at ${url} does not let this key do that (TURNKEEP_API_KEY): ${message}`;
  if (status === 401 || status === 403) {
    return `The gateway at ${url} does not let this key in (${status}): set TURNKEEP_API_KEY to one of the secrets of its TURNKEEP_API_KEYS, or to one of \`turnkeep keys\`.`;
  }
  return `The gateway at ${url} answered ${status}: ${code === undefined ? '' : `${code}: `}${message}`;
}

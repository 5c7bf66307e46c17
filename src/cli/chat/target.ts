/** Which gateway is talked to, and with which key. */
import { resolve } from 'node:path';
import { ConfigError } from '../../config/config.ts';
import { findRunningDev } from '../dev-server/data-dir.ts';
import type { ChatFlags } from './command.ts';
import type { GatewayTarget } from './gateway-calls.ts';

const fallbackUrl = 'http://127.0.0.1:8484/v1';

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws {ConfigError} when the address is none */
export function targetOf(flags: ChatFlags, env: Environment): GatewayTarget {
  const apiKey = flags.apiKey || env['TURNKEEP_API_KEY'] || undefined;
  const [name, url] = flags.url ? ['--url', flags.url] : ['TURNKEEP_URL', env['TURNKEEP_URL']];
  if (url) {
    const parsed = URL.parse(url);
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash) {
      throw new ConfigError([`${name} must be the http:// or https:// address of a gateway, such as ${fallbackUrl}; it is "${url}"`]);
    }
    const baseUrl = url.replace(/\/+$/, '');
    return { baseUrl: () => baseUrl, apiKey };
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
    // A data dir that cannot be read tells nothing.
    return undefined;
  }
}

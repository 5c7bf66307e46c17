/** The settings of webhooks, and the endpoints that they make. A message repeats no address and no secret: both may be secret. */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { type WebhookEndpoint, webhookEvents } from '../domain/turn/webhook.ts';
import { apiKeys } from './setting-values.ts';

/** Of one tenant, or, without a name, of all that have none of their own. */
export interface Named<T> {
  readonly tenant: string | null;
  readonly value: T;
}

/** `value,…` or `name=value,…`; a wrong entry is reported by its position. */
function named<T>(form: string, read: (value: string) => T | undefined) {
  return z.string().transform((list, context) => {
    const found: Named<T>[] = [];
    // Base64 may end in `=` too: what stands before one is a name only where the value follows.
    for (const [index, entry] of list.split(',').entries()) {
      const [, name, rest = ''] = /^\s*(?:([\w.-]{1,64})=(?=https?:|whsec_))?(.*?)\s*$/.exec(entry) ?? [];
      const value = read(rest);
      if (value === undefined) context.addIssue(`must be ${form}; entry ${index + 1} is not`);
      else found.push({ tenant: name ?? null, value });
    }
    return found;
  });
}

export const webhookUrls = named(
  'a https:// address without a user, or name=address,… for tenants (http:// within your own network alone; a comma in an address is %2C)',
  (value) => {
    const url = URL.parse(value);
    const isRight = url !== null && !url.username && !url.password && !url.hash;
    return isRight && (url.protocol === 'https:' || (url.protocol === 'http:' && isOwnNetwork(url.hostname))) ? url.href : undefined;
  },
).refine((urls) => new Set(urls.map(({ tenant }) => tenant)).size === urls.length, {
  error: 'has two addresses for one tenant, or two without a name: give each tenant one',
});

/** As the Standard Webhooks specification has them: 24 to 64 bytes. */
export const webhookSecrets = named(
  'whsec_ and base64 of 24 to 64 bytes, or name=whsec_…,… for tenants (make one with `echo whsec_$(openssl rand -base64 32)`)',
  (value) => {
    const encoded = value.startsWith('whsec_') ? value.slice('whsec_'.length) : '';
    const key = Buffer.from(encoded, 'base64');
    return key.length >= 24 && key.length <= 64 && key.toString('base64') === encoded ? new Uint8Array(key) : undefined;
  },
);

export const webhookEventList = z.string().transform((list, context) => {
  const names = new Set(list.split(',').map((entry) => entry.trim()));
  const events = webhookEvents.filter((event) => names.has(event));
  if (events.length !== names.size) context.addIssue(`must be of ${webhookEvents.join(', ')}, comma separated`);
  return events;
});

/**
 * The endpoints of all settings together. One whose own setting is wrong is left out: that is reported by itself.
 * An endpoint is signed for with secrets of its own tenant alone: what one tenant's receiver knows must not sign for another's.
 */
export function readEndpoints(given: { readonly [name: string]: string }, problems: string[]): readonly WebhookEndpoint[] {
  const events = webhookEventList.safeParse(given['TURNKEEP_WEBHOOK_EVENTS'] ?? webhookEvents.join(',')).data ?? [];
  const all = webhookSecrets.safeParse(given['TURNKEEP_WEBHOOK_SECRET']).data ?? [];
  const areSecretsWrong = all.length === 0 && given['TURNKEEP_WEBHOOK_SECRET'] !== undefined;
  const keys = apiKeys.safeParse(given['TURNKEEP_API_KEYS']).data;
  // Tenants may have their keys in the database: their names are not known here.
  const areAllKnown = given['TURNKEEP_REQUIRE_KEY'] !== 'on';
  const tenants = keys?.map(({ name }) => name) ?? (given['TURNKEEP_API_KEYS'] === undefined ? ['default'] : undefined);
  return (webhookUrls.safeParse(given['TURNKEEP_WEBHOOK_URL']).data ?? []).map(({ tenant, value: url }) => {
    const secrets = all.filter((secret) => secret.tenant === tenant).map(({ value }) => value);
    if (secrets.length === 0 && !areSecretsWrong) problems.push(missingSecret(tenant));
    if (areAllKnown && tenant !== null && tenants?.includes(tenant) === false) {
      problems.push(
        `TURNKEEP_WEBHOOK_URL names the tenant ${tenant}, and TURNKEEP_API_KEYS has no key of that name (with TURNKEEP_REQUIRE_KEY=on it may be one of turnkeep keys)`,
      );
    }
    return { tenant, url, secrets, events };
  });
}

function missingSecret(tenant: string | null): string {
  const [of, entry] = tenant === null ? ['', 'whsec_…'] : [` of ${tenant}`, `${tenant}=whsec_…`];
  const way = `set it to ${entry}, which \`echo whsec_$(openssl rand -base64 32)\` makes`;
  return `TURNKEEP_WEBHOOK_SECRET has no secret for the address${of} in TURNKEEP_WEBHOOK_URL: ${way}`;
}

const ownAddresses = new BlockList();
for (const [net, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  ownAddresses.addSubnet(net, prefix, 'ipv4');
}
for (const [net, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  ownAddresses.addSubnet(net, prefix, 'ipv6');
}

/**
 * Names that no public resolver answers for, and addresses that no public network routes: there TLS often ends before the
 * receiver, and the message, which is an id and a signature, goes through nobody else's hands.
 */
function isOwnNetwork(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(host);
  if (family !== 0) return ownAddresses.check(host, family === 6 ? 'ipv6' : 'ipv4');
  return !host.includes('.') || /\.(localhost|local|internal|svc|lan|test)$|\.home\.arpa$/.test(host);
}

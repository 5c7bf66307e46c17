/**
 * Secrets in what a client asked for: a tool that the provider runs may have come with a key (`authorization`, `headers` of an MCP
 * server), which stands in the turn's settings and in the responses that repeat them. Those of the configuration are in no row (T11).
 */

/** Where a request says them. */
const secretKey = /^(?:authorization|headers|x?-?api[-_]?key|(?:access[-_]?)?token|password|(?:client[-_]?)?secret|credentials?)$/i;

/** Shorter ones are no secrets, and stand in many other words. */
const shortestSecret = 6;

const replacement = '[secret]';

/** Each costs a walk over all of a bundle: of more than these, those are found that are a whole string. */
const mostWithin = 20;

export interface Secrets {
  /** As JSON writes them, the longest first: one may be a part of another. They may stand within other words. */
  readonly within: readonly string[];
  /** All of them, where there are more. */
  readonly whole: ReadonlySet<string>;
}

/** The texts below such keys, in settings or whatever else. */
export function secretsOf(value: unknown): Secrets {
  const all = [...new Set(textsBelow(value, false))].toSorted((one, other) => other.length - one.length);
  const within = all.slice(0, mostWithin).map((secret) => {
    const inJson = JSON.stringify(secret);
    // Digits alone may stand in a number: in a string they are a whole one.
    return /^[\d.eE+-]+$/.test(secret) ? inJson : inJson.slice(1, -1);
  });
  return { within, whole: new Set(all.length > mostWithin ? all : []) };
}

function textsBelow(value: unknown, isSecret: boolean): readonly string[] {
  if (typeof value === 'string') return isSecret && value.length >= shortestSecret ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => textsBelow(member, isSecret || secretKey.test(key)));
}

export function withoutSecrets(value: unknown, secrets: Secrets): unknown {
  return secrets.within.length === 0 ? value : (JSON.parse(textWithoutSecrets(JSON.stringify(value), secrets)) as unknown);
}

/** @param json the text of a JSON value, in whose strings the secrets stand */
export function textWithoutSecrets(json: string, { within, whole }: Secrets): string {
  const text = within.reduce((left, secret) => left.replaceAll(secret, secret.startsWith('"') ? `"${replacement}"` : replacement), json);
  if (whole.size === 0) return text;
  return JSON.stringify(JSON.parse(text), (_, member: unknown) => (typeof member === 'string' && whole.has(member) ? replacement : member));
}

/** An event of a history, or a part of one: what a workflow of somebody's own was asked for is in its payloads. */
export function eventWithoutSecrets(value: unknown, secrets: Secrets): unknown {
  if (secrets.within.length === 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => eventWithoutSecrets(each, secrets));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (name !== 'data' || typeof member !== 'string' || !('metadata' in value)) return [name, eventWithoutSecrets(member, secrets)];
      const text = Buffer.from(member, 'base64').toString('utf8');
      const scrubbed = textWithoutSecrets(text, isJson(value.metadata) ? secrets : { ...secrets, whole: new Set() });
      return [name, scrubbed === text ? member : Buffer.from(scrubbed).toString('base64')];
    }),
  );
}

function isJson(metadata: unknown): boolean {
  const { encoding = '' } = (metadata ?? {}) as { readonly encoding?: string };
  return Buffer.from(encoding, 'base64').toString().startsWith('json/');
}

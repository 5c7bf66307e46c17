/**
 * Secrets in what a client asked for: a tool that the provider runs may have come with a key (`authorization`, `headers` of an MCP
 * server), which stands in the turn's settings and in the responses that repeat them. Those of the configuration are in no row (T11).
 */

/** Where a request says them. */
const secretKey = /^(?:authorization|headers|x?-?api[-_]?key|(?:access[-_]?)?token|password|(?:client[-_]?)?secret|credentials?)$/i;

/** Shorter ones are no secrets, and stand in many other words. */
const shortestSecret = 6;

const replacement = '[secret]';

/** The texts below such keys, in settings or whatever else. */
export function secretsOf(value: unknown, isSecret = false): readonly string[] {
  if (typeof value === 'string') return isSecret && value.length >= shortestSecret ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => secretsOf(member, isSecret || secretKey.test(key)));
}

export function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  return secrets.length === 0 ? value : (JSON.parse(textWithoutSecrets(JSON.stringify(value), secrets)) as unknown);
}

/** @param json the text of a JSON value, in whose strings the secrets stand */
export function textWithoutSecrets(json: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(JSON.stringify(secret).slice(1, -1), replacement), json);
}

/** An event of a history, or a part of one: what a workflow of somebody's own was asked for is in its payloads. */
export function eventWithoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (secrets.length === 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => eventWithoutSecrets(each, secrets));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (name !== 'data' || typeof member !== 'string' || !('metadata' in value)) return [name, eventWithoutSecrets(member, secrets)];
      const text = Buffer.from(member, 'base64').toString('utf8');
      const scrubbed = textWithoutSecrets(text, secrets);
      return [name, scrubbed === text ? member : Buffer.from(scrubbed).toString('base64')];
    }),
  );
}

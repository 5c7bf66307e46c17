/**
 * Checked reads of JSON that a server sent. Its shape is not trusted: what is not of the expected kind is `undefined`
 * (or an empty list), never an exception, so that a parser decides by itself what is an error.
 */

export type JsonRecord = { readonly [key: string]: unknown };

/** An object that is no list. */
export function asRecord(value: unknown): JsonRecord | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : undefined;
}

/** A list; anything else counts as an empty one. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that is not empty: servers send null and '' for fields that they leave out. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As `JSON.stringify` writes half of a surrogate pair; also found, and harmless, where a text holds these very characters. */
const halfPair = /\\ud[89a-f]/;

/**
 * What `JSON.stringify` makes of a value, with U+FFFD in the place of half a surrogate pair: it is no character, and most
 * servers refuse a body that has its escape, or fail on it.
 */
export function wellFormedJson(value: unknown): string {
  const json = JSON.stringify(value);
  // No JSON at all comes of undefined.
  return typeof json === 'string' && halfPair.test(json) ? JSON.stringify(value, wellFormed) : json;
}

function wellFormed(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), inner]));
}

type NonNullish<T> = { -readonly [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Leaves out what is null or undefined: a setting that the client did not make is not sent, so the provider's default holds. */
export function omitNullish<T extends object>(fields: T): NonNullish<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as NonNullish<T>;
}

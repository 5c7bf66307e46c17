/**
 * Checked reads of JSON that a server sent. Its shape is not trusted: what is not of the expected kind is `undefined`
 * (or an empty list), never an exception, so that a parser decides by itself what is an error.
 */

import type { Json } from '../domain/item.ts';

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

/** The same value with whole characters in all of its texts, for what is kept without being read. */
export function wellFormed(value: unknown): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  const record = asRecord(value);
  if (record === undefined) return value as Json;
  return Object.fromEntries(Object.entries(record).map(([name, each]) => [name.toWellFormed(), wellFormed(each)]));
}

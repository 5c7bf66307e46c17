export type Said<T> = { -readonly [K in keyof T]?: Exclude<T[K], null | undefined> };

/** The fields that the request named. What it did not say (null) is not said to the provider either: its own default holds. */
export function omitNullish<T extends object>(fields: T): Said<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as Said<T>;
}

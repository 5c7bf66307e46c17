/** Checks a request against its route's schemas. */
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { validationError } from './errors.ts';

/** Items of a list that are checked at once: a few milliseconds (T14). */
const sliceItems = 256;

/** Schemas of the items of a body's long lists, by the list's name. */
export type LongLists = { readonly [name: string]: z.ZodType };

/** @throws ApiError 400 naming the field that is wrong */
export function validate(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (!result.success) throw validationError(result.error);
  return result.data;
}

/**
 * The first items of each long list with the rest of the body, the others behind them, with the event loop free in between.
 * @throws ApiError 400 naming the field that is wrong
 */
export async function validateBody(schema: z.ZodType, lists: LongLists, body: unknown): Promise<unknown> {
  const long = Object.entries(lists).flatMap(([name, item]) => {
    const list: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
    return Array.isArray(list) && list.length > sliceItems ? [{ name, item, list: list as readonly unknown[] }] : [];
  });
  if (long.length === 0) return validate(schema, body);
  const heads = long.map(({ name, list }) => [name, list.slice(0, sliceItems)] as const);
  const valid = validate(schema, { ...(body as object), ...Object.fromEntries(heads) }) as { [name: string]: unknown[] };
  for (const { name, item, list } of long) valid[name]?.push(...(await validateRest(name, item, list)));
  return valid;
}

async function validateRest(name: string, item: z.ZodType, list: readonly unknown[]): Promise<unknown[]> {
  const slice = z.array(item);
  const valid: unknown[] = [];
  for (let from = sliceItems; from < list.length; from += sliceItems) {
    await setImmediate();
    const result = slice.safeParse(list.slice(from, from + sliceItems));
    if (!result.success) throw validationError(result.error, (path) => [name, from + Number(path[0]), ...path.slice(1)]);
    for (const each of result.data) valid.push(each);
  }
  return valid;
}

/**
 * Fields that another API calls otherwise: Responses and Chat Completions requests are mixed up often, and "unknown
 * parameter", or the name of another field that is missing, helps nobody to find out.
 */
import { ApiError } from './errors.ts';

/**
 * What is said of a field, by its name: a sentence. `tools[].name` is a field of those of a list's elements whose type both
 * APIs have; others stand as they are in both. Only names that the route's schema does not know.
 */
export type Misnamed = { readonly [name: string]: string };

/** Of a list only so many elements are looked at: all of one request are written the same way. */
const elements = 100;

/** @throws ApiError 400 naming the first such field of the body */
export function refuseMisnamed(misnamed: Misnamed, body: unknown): void {
  for (const [name, advice] of Object.entries(misnamed)) {
    const param = placeOf(name, body);
    if (param === undefined) continue;
    throw new ApiError({ status: 400, param, code: 'unknown_parameter', message: `Unknown parameter: '${param}'. ${advice}` });
  }
}

/** Where the body has the field; undefined where it has none. */
function placeOf(name: string, body: unknown): string | undefined {
  const [list = '', member] = name.split('[].');
  if (!has(body, list)) return undefined;
  if (member === undefined) return name;
  const value: unknown = body[list];
  const index = Array.isArray(value) ? value.slice(0, elements).findIndex((element) => isOfBoth(element) && has(element, member)) : -1;
  return index === -1 ? undefined : `${list}[${index}].${member}`;
}

/** Those that the two APIs write in different forms. */
function isOfBoth(element: unknown): boolean {
  return !has(element, 'type') || element.type === 'function' || element.type === 'custom';
}

function has<const Name extends string>(value: unknown, name: Name): value is { readonly [name in Name]: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
}

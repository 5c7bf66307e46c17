/** Schemas of fields that several protocols' requests share. */
import { z } from 'zod';
import { type Json, longestCallName, longestItemId } from '../../domain/item.ts';

/** Any JSON object. `z.json()` is recursive: `/openapi.json` cannot show it, and deep values run it out of stack. */
export const jsonObject = z.record(z.string(), z.custom<Json>());

export const metadata = z
  .record(z.string().max(64, 'a key has 64 characters at most'), z.string().max(512, 'a value has 512 characters at most'))
  .refine((value) => Object.keys(value).length <= 16, 'has 16 keys at most')
  .meta({ description: '16 pairs at most; keys of 64, values of 512 characters.' });

/** The rule that an object has exactly one of these fields, both as a check and for `/openapi.json`. */
export function exactlyOne(...names: readonly string[]) {
  const list = names.join(', ').replace(/, ([^,]+)$/, ' and $1');
  return {
    check: (value: { readonly [name: string]: unknown }) => names.filter((name) => value[name] != null).length === 1,
    message: `needs exactly one of ${list}`,
    meta: { oneOf: names.map((name) => ({ required: [name], properties: { [name]: { type: 'string' } } })) },
  };
}

/** Of ids and names that clients choose: what finds them in the database holds no text of some kilobytes. */
const longestId = 200;

export const id = z.string().min(1, 'must not be empty').max(longestId);

/** The same in a header, where an empty one says nothing. */
export const idInHeader = z.string().max(longestId).optional();

/** The id of an item: an opaque one has the id that its provider gave it (T13). */
export const itemId = z.string().min(1, 'must not be empty').max(longestItemId, 'is too long');

/** The id or the name of a call, which a provider gave: as long as one may be that is given out (T13). */
export const callName = z.string().min(1, 'must not be empty').max(longestCallName, 'is too long');

/** Some clients keep what they have parsed, and send it back as it is. */
export const callArguments = z.union([z.string(), jsonObject.transform((value) => JSON.stringify(value))]);

/**
 * The `type` of an object that is passed on as it is. Only where it is of another type than these does the branch of a union
 * match: all else is said of the branch that knows the type.
 */
export const otherType = (known: readonly string[]) =>
  z.string().refine((type) => /^[\w.-]{1,100}$/.test(type) && !known.includes(type), { error: 'is no valid type', abort: true });

/** A field of which turnkeep supports only what it does anyway. */
export const onlyDefault = <const T extends readonly z.core.util.Literal[]>(...values: T) =>
  z.literal(values, `only ${values.map((value) => JSON.stringify(value)).join(' or ')} is supported`).nullish();

/** A number in a query. */
export const wholeNumber = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z
    .string(`must be a whole number from ${min}`)
    .refine((value) => /^\d{1,16}$/.test(value), `must be a whole number from ${min}`)
    .transform(Number)
    .refine((value) => value >= min, `must be a whole number from ${min}`)
    .refine((value) => value <= max, `must be ${max} at most`)
    .meta({ type: 'integer', minimum: min, maximum: max });

const unitMs: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A moment in a query, in ms since the epoch: a date, or how long ago it was. */
export const moment = z
  .string()
  .transform((value, context) => {
    const [, count = '', unit = ''] = /^(\d{1,9})([smhdw])$/.exec(value) ?? [];
    const at = unit === '' ? Date.parse(value) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
    // `Date.parse` reads much else, each platform in its own way.
    if (!Number.isNaN(at) && (unit !== '' || /^\d{4}-\d{2}-\d{2}/.test(value))) return at;
    context.addIssue('must be a date such as 2026-01-31 or 2026-01-31T12:00:00Z, or how long ago, such as 30m, 12h or 1d');
    return z.NEVER;
  })
  .meta({ type: 'string', description: 'A date (`2026-01-31`, `2026-01-31T12:00:00Z`), or how long ago (`30m`, `12h`, `1d`).' });

const includable = [
  'reasoning.encrypted_content',
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'message.input_image.image_url',
  'computer_call_output.output.image_url',
  'code_interpreter_call.outputs',
  'message.output_text.logprobs',
] as const;

const includableName = z.enum(includable, `can only name ${includable.join(', ')}`);

/** Extras to the items: the provider is asked for them, where it can be. */
export const include = z.array(includableName);

/** The same in a query: once, or again and again. */
export const includeQuery = z.union([includableName, include]).optional();

/** Which page of a list. */
export const pageQuery = z.strictObject({
  limit: wholeNumber(1, 100).optional().meta({ description: 'From 1 to 100; 20 where nothing is said.' }),
  order: z.enum(['asc', 'desc'], "must be 'asc' or 'desc'").optional(),
  after: id.optional().meta({ description: 'The page begins behind the object of this id.' }),
});

/** A place is longer than the id that is in it. */
const itemCursor = z
  .string()
  .min(1, 'must not be empty')
  .max(longestItemId + 32, 'is too long');

export const itemsQuery = pageQuery.extend({
  after: itemCursor
    .optional()
    .meta({ description: 'The page begins behind the item of this id, or where the page ended whose `last_id` this is.' }),
  include: includeQuery,
});

/** The small values that several doors let in. */
import { z } from 'zod';
import type { Json } from '../../domain/item.ts';

/** Whatever came as JSON. `z.json()` says the same, by a recursion that neither a description nor the stack can follow. */
export const jsonObject = z.record(z.string(), z.custom<Json>());

export const metadata = z
  .record(z.string().max(64, 'a key has 64 characters at most'), z.string().max(512, 'a value has 512 characters at most'))
  .refine((value) => Object.keys(value).length <= 16, 'has 16 keys at most')
  .meta({ description: '16 pairs at most; keys of 64, values of 512 characters.' });

/** For those of an object's fields of which it needs one and no more, said once for both who checks and who reads. */
export function exactlyOne(...names: readonly string[]) {
  const listed = names.join(', ').replace(/, ([^,]+)$/, ' and $1');
  return {
    check: (value: { readonly [name: string]: unknown }) => names.filter((name) => value[name] != null).length === 1,
    message: `needs exactly one of ${listed}`,
    meta: { oneOf: names.map((name) => ({ required: [name], properties: { [name]: { type: 'string' } } })) },
  };
}

export const id = z.string().min(1, 'must not be empty').max(200, 'is too long');

/** Accepted where its value is what turnkeep does anyway; any other value is refused. */
export const onlyDefault = <const T extends readonly z.core.util.Literal[]>(...values: T) =>
  z.literal(values, `only ${values.map((value) => JSON.stringify(value)).join(' or ')} is supported`).nullish();

/** A number in a query. */
export const wholeNumber = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z
    .string(`must be a whole number from ${least}`)
    .refine((value) => /^\d{1,16}$/.test(value), `must be a whole number from ${least}`)
    .transform(Number)
    .refine((value) => value >= least, `must be a whole number from ${least}`)
    .refine((value) => value <= most, `must be ${most} at most`)
    .meta({ type: 'integer', minimum: least, maximum: most });

const includable = [
  'reasoning.encrypted_content',
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'message.input_image.image_url',
  'computer_call_output.output.image_url',
  'code_interpreter_call.outputs',
] as const;

/** What is asked for along with the items. Of the tools that turnkeep does not have there is nothing to include. */
export const include = z.array(z.enum(includable, `can only name ${includable.join(', ')}`));

/** A page of a list: OpenAI's cursors. */
export const pageQuery = z.strictObject({
  limit: wholeNumber(1, 100).optional().meta({ description: 'From 1 to 100; 20 where nothing is said.' }),
  order: z.enum(['asc', 'desc'], "must be 'asc' or 'desc'").optional(),
  after: id.optional().meta({ description: 'The page begins behind the object of this id.' }),
});

/** openai-node writes a list as `include[]`. */
export const itemsQuery = pageQuery.extend({
  include: z.union([z.string(), z.array(z.string())]).optional(),
  'include[]': z.union([z.string(), z.array(z.string())]).optional(),
});

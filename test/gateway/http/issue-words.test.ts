/** What is wrong with a field, in plain words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { validationError } from '../../../src/gateway/http/errors.ts';

const schema = z.strictObject({
  flag: z.boolean().optional(),
  count: z.int().min(1).max(9).optional(),
  half: z.number().gt(0).lt(1).optional(),
  name: z.string().min(2).max(3).optional(),
  list: z.array(z.string()).max(1).optional(),
  mode: z.enum(['on', 'off', 'auto']).optional(),
  only: z.literal('this').optional(),
  own: z.string().regex(/^a/, 'must begin with an a').optional(),
  either: z.union([z.string(), z.number()]).optional(),
});

const cases: readonly (readonly [unknown, string])[] = [
  [{ flag: 'yes' }, "Invalid 'flag': must be true or false, not a text."],
  [{ count: 'one' }, "Invalid 'count': must be a number, not a text."],
  [{ count: 1.5 }, "Invalid 'count': must be a whole number, not a number."],
  [{ count: 0 }, "Invalid 'count': must be at least 1."],
  [{ count: 10 }, "Invalid 'count': must be at most 9."],
  [{ half: 0 }, "Invalid 'half': must be more than 0."],
  [{ half: 1 }, "Invalid 'half': must be less than 1."],
  [{ name: 'a' }, "Invalid 'name': must have at least 2 characters."],
  [{ name: 'abcd' }, "Invalid 'name': must have at most 3 characters."],
  [{ list: ['a', 'b'] }, "Invalid 'list': must have at most 1 item."],
  [{ list: [1] }, "Invalid 'list[0]': must be a text, not a number."],
  [{ mode: 'maybe' }, `Invalid 'mode': must be "on", "off" or "auto".`],
  [{ only: 'that' }, `Invalid 'only': must be "this".`],
  [{ own: 'b' }, "Invalid 'own': must begin with an a."],
  [{ either: true }, "Invalid 'either': must be a text, not true or false."],
  [[], 'The body is not valid: must be an object, not a list.'],
];

for (const [value, words] of cases) {
  test(`${JSON.stringify(value)}: ${words}`, () => {
    const { error } = schema.safeParse(value);
    assert.ok(error);
    assert.equal(validationError(error).message, words);
  });
}

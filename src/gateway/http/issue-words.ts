/** What a field must be, in the words of a person, where its schema says it in the validator's own. Pure. */
import type { z } from 'zod';

/** @returns a phrase for behind the name of the field: `must be a boolean, not a string` */
export function wordsOf(issue: z.core.$ZodIssue): string {
  const { message } = issue;
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (expected !== undefined && received !== undefined) return `must be ${typeWords(expected)}, not ${typeWords(received)}`;
  // Every schema that has words of its own has said more.
  if (!/^(Invalid (input|option)|Too (small|big))/.test(message)) return message;
  if (issue.code === 'invalid_value') return `must be ${listOf(issue.values.map((value) => JSON.stringify(value) ?? String(value)))}`;
  if (issue.code === 'too_small') return sizeWords(issue.origin, issue.minimum, issue.inclusive === false ? 'more than' : 'at least');
  if (issue.code === 'too_big') return sizeWords(issue.origin, issue.maximum, issue.inclusive === false ? 'less than' : 'at most');
  return issue.code === 'invalid_union' ? 'is of no form that is known here' : message;
}

const types: { readonly [type: string]: string } = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
  NaN: 'no number',
};

function typeWords(type: string): string {
  return types[type] ?? type;
}

const units: { readonly [origin: string]: string } = { string: 'characters', array: 'items', object: 'members', set: 'items' };

function sizeWords(origin: string, bound: number | bigint, relation: string): string {
  const unit = units[origin];
  return unit === undefined
    ? `must be ${relation} ${bound}`
    : `must have ${relation} ${bound} ${Number(bound) === 1 ? unit.slice(0, -1) : unit}`;
}

function listOf(values: readonly string[]): string {
  return values.length < 2 ? (values[0] ?? 'nothing') : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

/** Do arguments fit a JSON Schema? They are judged as they are: nothing is coerced, filled in or taken away. */
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonObject } from '../domain/item.ts';

/** Mistakes told at once: enough to mend a call, and no more than the model reads. */
const maxMistakes = 5;
const maxMistakeChars = 300;

/**
 * `strict` off: a schema is written for others too, and may have keywords of theirs. Formats are left to the server, and so is
 * a `$ref` to elsewhere: nothing is ever fetched for a schema.
 */
const options: Options = {
  strict: false,
  validateSchema: false,
  validateFormats: false,
  allErrors: true,
  addUsedSchema: false,
  logger: false,
};

/**
 * A check for one schema, compiled when it is first asked. A schema that does not compile accepts everything: its server judges.
 * @returns what is wrong, in words for the model; undefined: nothing
 */
export function argumentsCheck(schema: JsonObject): (args: JsonObject) => string | undefined {
  let validate: ValidateFunction | 'accepts everything' | undefined;
  return (args) => {
    validate ??= compile(schema) ?? 'accepts everything';
    if (validate === 'accepts everything' || validate(args)) return undefined;
    const mistakes = [...new Set((validate.errors ?? []).map(mistake))];
    const more = mistakes.length > maxMistakes ? `; and ${mistakes.length - maxMistakes} more` : '';
    return `${mistakes.slice(0, maxMistakes).join('; ')}${more}`;
  };
}

/** MCP's schemas are of 2020-12 unless they say otherwise; who says nothing may mean the older `items` and `definitions`. */
function compile(schema: JsonObject): ValidateFunction | undefined {
  const isOlder = typeof schema['$schema'] === 'string' && /draft-0\d/.test(schema['$schema']);
  for (const Dialect of isOlder ? [Ajv] : [Ajv2020, Ajv]) {
    try {
      // One compiler a schema: an `$id` in it means nothing for any other, and the compiler goes with its tool.
      return new Dialect(options).compile(schema);
    } catch {
      // Not in this dialect.
    }
  }
  return undefined;
}

function mistake({ instancePath, message = 'does not fit', params, keyword }: ErrorObject): string {
  const place = instancePath === '' ? 'the arguments' : instancePath.slice(1).replaceAll('/', '.');
  const extra = params as Record<string, unknown>;
  const named =
    keyword === 'additionalProperties' || keyword === 'unevaluatedProperties'
      ? `: ${JSON.stringify(extra['additionalProperty'] ?? extra['unevaluatedProperty'])}`
      : keyword === 'enum'
        ? `: ${JSON.stringify(extra['allowedValues'])}`
        : '';
  return `${place} ${message}${named}`.slice(0, maxMistakeChars);
}

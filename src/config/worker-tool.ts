/** The tool that a worker runs, made of the one that the configuration defines. */
import { z } from 'zod';
import type { Json, JsonObject } from '../domain/item.ts';
import { localServerLabel, type WorkerTool } from '../tools/tool.ts';
import type { ToolDefinition, ToolInput } from './define-tool.ts';

const defaultAttempts = 1;
const defaultTimeoutMs = 300_000;

/** The arguments as the schema has them, or what is wrong with them. */
type Validation = { readonly value: unknown } | { readonly problem: string };

/** @throws when the schema has no JSON Schema of an object; the message says why, behind the path of the schema */
export function toWorkerTool(name: string, definition: ToolDefinition<ToolInput>): WorkerTool {
  const { description, input, run, attempts = defaultAttempts, timeoutMs = defaultTimeoutMs, needsApproval = false } = definition;
  return Object.freeze({
    name,
    serverLabel: localServerLabel,
    description,
    inputSchema: inputSchemaOf(input),
    attempts,
    timeoutMs,
    needsApproval: (args: JsonObject): boolean => {
      if (typeof needsApproval === 'boolean') return needsApproval;
      const validation = validate(input, args);
      // Only a function that was asked, and said no, has said that nobody need agree.
      if (validation instanceof Promise || 'problem' in validation) return true;
      try {
        const answer: unknown = needsApproval(validation.value);
        return answer !== false;
      } catch {
        return true;
      }
    },
    check: (args: JsonObject): string | undefined => {
      const validation = validate(input, args);
      if (!(validation instanceof Promise)) return 'problem' in validation ? validation.problem : undefined;
      // A schema that has to wait is asked by `run`.
      validation.catch(() => {});
      return undefined;
    },
    run: async (args, context) => {
      const validation = await validate(input, args);
      if ('problem' in validation) return { type: 'error', message: `The arguments do not fit the tool's schema: ${validation.problem}.` };
      return { type: 'output', text: textOf(await run(validation.value, context)) };
    },
  } satisfies WorkerTool);
}

function textOf(result: unknown): string {
  if (typeof result === 'string') return result;
  // `undefined` and functions have no JSON.
  return JSON.stringify(result) ?? '';
}

type StandardResult = { readonly value?: unknown; readonly issues?: readonly StandardIssue[] | undefined };
type StandardIssue = { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined };

function validate(input: ToolInput, args: JsonObject): Validation | Promise<Validation> {
  const result = input['~standard'].validate(args) as StandardResult | Promise<StandardResult>;
  return result instanceof Promise ? result.then(toValidation) : toValidation(result);
}

function toValidation({ value, issues }: StandardResult): Validation {
  if (issues === undefined) return { value };
  return { problem: issues.map(sentence).join('; ') };
}

function sentence({ path = [], message }: StandardIssue): string {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return `${at === '' ? '' : `${at}: `}${message.replace(/\.$/, '')}`;
}

interface JsonSchemaOf {
  readonly input: (options: { readonly target: string }) => unknown;
}

/**
 * By the schema's own means where it has them, since another copy of zod may be newer than ours; by ours where it is of a zod 4
 * before 4.2, which has none.
 */
function inputSchemaOf(input: ToolInput): JsonObject {
  const standard: ToolInput['~standard'] & { readonly jsonSchema?: JsonSchemaOf } = input['~standard'];
  let made: unknown;
  if (standard.jsonSchema !== undefined) made = standard.jsonSchema.input({ target: 'draft-2020-12' });
  else if ('_zod' in input) made = z.toJSONSchema(input as unknown as z.core.$ZodType, { io: 'input' });
  else throw new Error(`a schema of ${standardName(input)} has no JSON Schema: zod 4 has, and what implements Standard JSON Schema`);
  // What is not JSON goes: zod keeps functions on its schemas.
  const { $schema: _dialect, ...schema } = JSON.parse(JSON.stringify(made)) as { readonly [key: string]: Json };
  if (schema['type'] !== 'object') throw new Error('must be of an object, such as z.object({ … }): a model calls with named arguments');
  return deepFreeze(schema);
}

function standardName(input: ToolInput): string {
  return input['~standard'].vendor === 'zod' ? 'zod 3' : input['~standard'].vendor;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}

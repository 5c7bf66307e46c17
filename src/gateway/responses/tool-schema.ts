/** The tools that a request, or an item of its input, offers. */
import { z } from 'zod';
import { jsonObject, otherType } from '../http/request-fields.ts';

export const toolName = z.string().regex(/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits, "_", "-" or "."');

/** Members that are not here, and tools of other types, pass as they came. */
const functionTool = z.looseObject({
  type: z.literal('function'),
  name: toolName,
  description: z.string().nullish(),
  parameters: jsonObject.nullish(),
  strict: z.boolean().nullish(),
});
const customTool = z.looseObject({
  type: z.literal('custom'),
  name: toolName,
  description: z.string().nullish(),
  format: z.looseObject({ type: z.string() }).nullish(),
});

const member = z.union([
  z.discriminatedUnion('type', [functionTool, customTool]),
  z.looseObject({ type: otherType(['function', 'custom', 'namespace']) }),
]);
const namespaceTool = z.looseObject({
  type: z.literal('namespace'),
  name: toolName,
  description: z.string().nullish(),
  tools: z.array(member).min(1, 'must not be empty').max(1_000, 'has 1,000 tools at most'),
});
export const tool = z.union([
  z.discriminatedUnion('type', [functionTool, customTool, namespaceTool]),
  z.looseObject({ type: otherType(['function', 'custom', 'namespace']) }).meta({ description: 'A tool of any other type, as it is.' }),
]);
export type ToolBody = z.infer<typeof tool>;

export const tools = z.array(tool).max(1_000, 'has 1,000 tools at most');

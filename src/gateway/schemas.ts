/** What the door lets in. A field that is not here is refused by name, never dropped. */
import { z } from 'zod';

const textPart = z.strictObject({
  type: z.enum(['input_text', 'output_text'], 'only input_text and output_text are supported'),
  text: z.string(),
  annotations: z.array(z.unknown()).optional(),
  logprobs: z.array(z.unknown()).optional(),
});

const message = z.strictObject({
  type: z.literal('message', "only items of type 'message' are supported").optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(textPart).min(1, 'must not be empty')]),
  id: z.string().optional(),
  status: z.enum(['in_progress', 'completed', 'incomplete']).optional(),
});

const metadata = z
  .record(z.string().max(64, 'a key has 64 characters at most'), z.string().max(512, 'a value has 512 characters at most'))
  .refine((value) => Object.keys(value).length <= 16, 'has 16 keys at most');

const id = z.string().min(1, 'must not be empty').max(200, 'is too long');

/** Accepted where its value is what turnkeep does anyway; any other value is refused. */
const onlyDefault = <const T extends readonly z.core.util.Literal[]>(...values: T) =>
  z.literal(values, `only ${values.map((value) => JSON.stringify(value)).join(' or ')} is supported`).nullish();

export const createResponse = z.strictObject({
  model: z.string().min(1, 'must not be empty').nullish(),
  input: z.union([z.string().min(1, 'must not be empty'), z.array(message).min(1, 'must not be empty')]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  background: z.boolean().nullish(),
  store: onlyDefault(true),
  conversation: z.union([id, z.strictObject({ id })]).nullish(),
  previous_response_id: id.nullish(),
  metadata: metadata.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  top_logprobs: onlyDefault(0),
  max_output_tokens: z.int().min(1).nullish(),
  user: z.string().nullish(),
  truncation: onlyDefault('disabled'),
  parallel_tool_calls: onlyDefault(true),
  service_tier: onlyDefault('auto', 'default'),
  tool_choice: onlyDefault('auto', 'none'),
  tools: z.array(z.unknown()).max(0, 'tools are not supported yet; leave it out').nullish(),
  include: z.array(z.unknown()).max(0, 'nothing can be included yet; leave it out').nullish(),
  text: z.strictObject({ format: z.strictObject({ type: z.literal('text', 'only "text" is supported') }).optional() }).nullish(),
  stream_options: z.strictObject({ include_obfuscation: onlyDefault(false) }).nullish(),
});
export type CreateResponse = z.infer<typeof createResponse>;

export const createConversation = z.strictObject({
  metadata: metadata.nullish(),
  items: z.array(z.unknown()).max(0, 'a conversation cannot be created with items yet; leave it out').nullish(),
});

const wholeNumber = (least: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${least}`)
    .transform(Number)
    .refine((value) => value >= least, `must be a whole number from ${least}`);

/** Headers of the contract that this version does not carry out: refused by name, never passed over. */
export const createHeaders = z.object({
  'x-turnkeep-when-busy': z.literal('enqueue', 'only "enqueue" is supported yet').optional(),
  'x-turnkeep-response-id': z.undefined('is not supported yet; leave it out').optional(),
});

export const retrieveQuery = z.strictObject({
  stream: z.enum(['true', 'false', '1', '0'], "must be 'true' or 'false'").optional(),
  starting_after: wholeNumber(0).optional(),
});

export const itemsQuery = z.strictObject({
  limit: wholeNumber(1)
    .refine((value) => value <= 100, 'must be 100 at most')
    .optional(),
  order: z.enum(['asc', 'desc']).optional(),
  after: id.optional(),
});

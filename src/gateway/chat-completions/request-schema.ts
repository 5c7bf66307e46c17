/** The body of `POST /v1/chat/completions`. A field that is not here is an error that names it, never dropped. */
import { z } from 'zod';
import type { Misnamed } from '../http/misnamed.ts';
import { id, jsonObject, metadata, onlyDefault, otherType } from '../http/request-fields.ts';
import { chatMessage } from './message-schema.ts';

const filled = z.string().min(1, 'must not be empty');
const shortText = filled.max(200, 'is too long');

const notSupported = z.null('is not supported; leave it out').optional();

const functionShape = z.strictObject({
  name: filled.max(64, 'is too long'),
  description: z.string().nullish(),
  parameters: jsonObject.nullish(),
});
const customShape = z.strictObject({
  name: filled.max(128, 'is too long'),
  description: z.string().nullish(),
  format: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text') }),
      z.strictObject({
        type: z.literal('grammar'),
        grammar: z.strictObject({ syntax: z.enum(['lark', 'regex']), definition: z.string() }),
      }),
    ])
    .nullish(),
});
const namedFunction = z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: filled }) });
const namedCustom = z.strictObject({ type: z.literal('custom'), custom: z.strictObject({ name: filled }) });
const namedOther = z.looseObject({ type: otherType(['function', 'custom', 'allowed_tools']) });
const namedTool = z.union([z.discriminatedUnion('type', [namedFunction, namedCustom]), namedOther]);

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  namedFunction,
  namedCustom,
  namedOther,
  z.strictObject({
    type: z.literal('allowed_tools'),
    allowed_tools: z.strictObject({ mode: z.enum(['auto', 'required']), tools: z.array(namedTool).min(1, 'must not be empty') }),
  }),
]);

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: filled.max(64, 'is too long'),
      description: z.string().nullish(),
      schema: jsonObject.optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

export const chatRequest = z.strictObject({
  model: filled.nullish(),
  messages: z.array(chatMessage).min(1, 'must not be empty'),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: onlyDefault(false) }).nullish(),
  store: z.boolean().nullish(),
  metadata: metadata.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  reasoning_effort: filled.max(20, 'is too long').nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
  response_format: responseFormat.nullish(),
  tools: z
    .array(
      z.union([
        z.discriminatedUnion('type', [
          z.strictObject({ type: z.literal('function'), function: functionShape.extend({ strict: z.boolean().nullish() }) }),
          z.strictObject({ type: z.literal('custom'), custom: customShape }),
          z.looseObject({ type: z.literal('namespace') }).refine(() => false, {
            path: ['type'],
            message: "is of POST /v1/responses alone: a call has no namespace here. Offer the namespace's tools themselves",
          }),
        ]),
        z
          .looseObject({ type: otherType(['function', 'custom', 'namespace']) })
          .meta({ description: 'A tool of any other type, as the Responses API has it.' }),
      ]),
    )
    .nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  functions: z.array(functionShape).nullish(),
  function_call: z.union([z.enum(['none', 'auto']), z.strictObject({ name: filled })]).nullish(),
  service_tier: filled.max(20, 'is too long').nullish(),
  safety_identifier: shortText.nullish(),
  prompt_cache_key: shortText.nullish(),
  prompt_cache_retention: filled.max(20, 'is too long').nullish(),
  user: z.string().nullish(),
  /** turnkeep's own: the conversation this turn belongs to, by id or by a name of the client's own. */
  conversation: z.union([id, z.strictObject({ id })]).nullish(),
  session_id: id.nullish(),
  n: onlyDefault(1),
  modalities: z.array(z.literal('text', 'only "text" is supported')).nullish(),
  stop: z.union([filled, z.array(filled).max(4, 'has 4 texts at most')]).nullish(),
  logit_bias: z.strictObject({}, 'is not supported; leave it out').nullish(),
  logprobs: onlyDefault(false),
  top_logprobs: onlyDefault(0),
  seed: z.int().nullish(),
  audio: notSupported,
  prediction: notSupported,
  moderation: notSupported,
  prompt_cache_options: notSupported,
  web_search_options: notSupported,
});
export type ChatRequest = z.infer<typeof chatRequest>;

export const misnamedInChat: Misnamed = {
  input: "It is 'messages' here; POST /v1/responses takes 'input'.",
  prompt: "It is 'messages' here, a list of {role, content}.",
  system: "It is a message of the role 'system' here.",
  instructions: "It is a message of the role 'system' here; POST /v1/responses takes 'instructions'.",
  max_output_tokens: "It is 'max_completion_tokens' here.",
  text: "It is 'response_format' here, and 'verbosity'.",
  reasoning: "It is 'reasoning_effort' here.",
  previous_response_id: "Send the messages before it, or name a 'conversation'; POST /v1/responses takes 'previous_response_id'.",
  'tools[].name': "The members of a tool stand in its 'function' here.",
};

/** The requests of `/v1/responses`. A field that is not here is an error that names it, never dropped. */
import { z } from 'zod';
import type { Misnamed } from '../http/misnamed.ts';
import { id, include, includeQuery, jsonObject, metadata, otherType, wholeNumber } from '../http/request-fields.ts';
import { inputItem } from './item-schema.ts';
import { toolName, tools } from './tool-schema.ts';

const textFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string().regex(/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits, "_", "-" or "."'),
    description: z.string().nullish(),
    schema: jsonObject,
    strict: z.boolean().nullish(),
  }),
]);

const allowedTools = z.looseObject({
  type: z.literal('allowed_tools'),
  mode: z.enum(['auto', 'required']),
  tools: z.array(z.looseObject({ type: z.string() })).min(1, 'must not be empty'),
});

export const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('function'), name: toolName }),
    z.looseObject({ type: z.literal('custom'), name: toolName }),
    allowedTools,
  ]),
  z.looseObject({ type: otherType(['function', 'custom', 'allowed_tools']) }),
]);

/** The lists of options that OpenAI adds to from model to model. */
const option = z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, "_", "-" or "."');

const reasoningSummary = option.nullish();

/** Of the requests that go on with something: with a conversation or a response, not with both. */
export function hasOneContext(body: { readonly conversation?: unknown; readonly previous_response_id?: unknown }): boolean {
  return body.conversation == null || body.previous_response_id == null;
}

export const oneContext = {
  path: ['previous_response_id'],
  params: { code: 'mutually_exclusive_parameters' },
  message: "'conversation' and 'previous_response_id' cannot be used together: leave one out",
};

export const createResponse = z
  .strictObject({
    model: z.string().min(1, 'must not be empty').nullish(),
    input: z.union([z.string().min(1, 'must not be empty'), z.array(inputItem)]).nullish(),
    instructions: z.string().nullish(),
    stream: z.boolean().nullish(),
    background: z.boolean().nullish(),
    store: z.boolean().nullish(),
    conversation: z.union([id, z.strictObject({ id })]).nullish(),
    previous_response_id: id.nullish(),
    metadata: metadata.nullish(),
    tools: tools.nullish(),
    tool_choice: toolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    max_tool_calls: z.int().min(1).nullish(),
    text: z.strictObject({ format: textFormat.nullish(), verbosity: z.enum(['low', 'medium', 'high']).nullish() }).nullish(),
    reasoning: z.looseObject({ effort: option.nullish(), summary: reasoningSummary, generate_summary: reasoningSummary }).nullish(),
    max_output_tokens: z.int().min(1).nullish(),
    truncation: z.enum(['auto', 'disabled']).nullish(),
    include: include.nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    presence_penalty: z.number().min(-2).max(2).nullish(),
    frequency_penalty: z.number().min(-2).max(2).nullish(),
    top_logprobs: z.int().min(0).max(20).nullish(),
    service_tier: option.nullish(),
    safety_identifier: z.string().max(512, 'is too long').nullish(),
    prompt_cache_key: z.string().max(512, 'is too long').nullish(),
    prompt_cache_retention: option.nullish(),
    prompt_cache_options: jsonObject.nullish(),
    user: z.string().max(512, 'is too long').nullish(),
    stream_options: z
      .strictObject({
        include_obfuscation: z.boolean().nullish().meta({ description: 'Events are never padded: they are the same for every viewer.' }),
      })
      .nullish(),
    client_metadata: jsonObject.nullish(),
    context_management: z.array(z.looseObject({ type: z.string() })).nullish(),
    moderation: jsonObject.nullish(),
    image: jsonObject.nullish(),
    access_programs: jsonObject.nullish(),
    prompt: z.looseObject({ id }, "must be a template that the provider keeps; words for the model are 'input' here").nullish(),
  })
  .refine((body) => body.background !== true || body.store !== false, {
    path: ['store'],
    message: 'a background response is fetched later, so it has to be stored: leave store out',
  })
  .refine((body) => hasInput(body) || body.conversation != null || body.previous_response_id != null || body.prompt != null, {
    path: ['input'],
    params: { code: 'missing_required_parameter' },
    message: "may only be left out or empty with a 'conversation' or a 'previous_response_id' to go on with",
  })
  .refine(hasOneContext, oneContext);
export type CreateResponse = z.infer<typeof createResponse>;

function hasInput({ input }: { readonly input?: string | readonly unknown[] | null | undefined }): boolean {
  return input != null && input.length > 0;
}

export const misnamedInResponse: Misnamed = {
  messages: "It is 'input' here; POST /v1/chat/completions takes 'messages'.",
  system: "It is 'instructions' here.",
  max_tokens: "It is 'max_output_tokens' here.",
  max_completion_tokens: "It is 'max_output_tokens' here.",
  response_format: "It is 'text.format' here, with the members of 'json_schema' beside its 'type'.",
  verbosity: "It is 'text.verbosity' here.",
  reasoning_effort: "It is 'reasoning.effort' here.",
  functions: "It is 'tools' here.",
  function_call: "It is 'tool_choice' here.",
  'tools[].function': "Its members stand beside 'type' here.",
};

export const followHeaders = z.object({
  'last-event-id': z.string().optional().meta({ description: 'The same as `starting_after`, as a browser sends it.' }),
});

export const retrieveQuery = z.strictObject({
  stream: z.enum(['true', 'false', '1', '0'], "must be 'true' or 'false'").optional(),
  starting_after: wholeNumber(0).optional().meta({ description: 'The number of the last event that was seen.' }),
  include_obfuscation: z.enum(['true', 'false', '1', '0'], "must be 'true' or 'false'").optional(),
  include: includeQuery,
});

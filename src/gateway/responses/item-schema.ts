/**
 * The items that the Responses API accepts. Members that are not here pass as they came, and so do items of other types: a
 * provider of this API is told all of it (`domain/provider-capabilities.ts` says what another one is not).
 */
import { z } from 'zod';
import { type Json, longestItemId, readTypes } from '../../domain/item.ts';
import { callArguments, callName, exactlyOne, id, itemId, jsonObject, otherType } from '../http/request-fields.ts';
import { tools } from './tool-schema.ts';

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete']);

const inputText = z.looseObject({ type: z.literal('input_text'), text: z.string() });

const imageSource = exactlyOne('image_url', 'file_id');
const inputImage = z
  .looseObject({
    type: z.literal('input_image'),
    detail: z.enum(['auto', 'low', 'high', 'original']).nullish(),
    image_url: z
      .string()
      .regex(/^(https?:|data:image\/)/i, 'must be an http(s) URL or a data URL of an image')
      .nullish(),
    file_id: id.nullish(),
  })
  .refine(imageSource.check, imageSource.message)
  .meta(imageSource.meta);

const fileSource = exactlyOne('file_data', 'file_id', 'file_url');
const inputFile = z
  .looseObject({
    type: z.literal('input_file'),
    filename: z.string().nullish(),
    file_data: z.string().min(1, 'must not be empty').nullish(),
    file_id: id.nullish(),
    file_url: z
      .string()
      .regex(/^https?:/i, 'must be an http(s) URL')
      .nullish(),
  })
  .refine(fileSource.check, fileSource.message)
  .meta(fileSource.meta);

const outputText = z.looseObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.custom<Json>()).nullish(),
  logprobs: z.array(z.custom<Json>()).nullish(),
});
const refusal = z.looseObject({ type: z.literal('refusal'), refusal: z.string() });

export const inputPart = z.discriminatedUnion('type', [inputText, inputImage, inputFile]);
const messagePart = z.discriminatedUnion('type', [inputText, inputImage, inputFile, outputText, refusal]);

const message = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(messagePart).min(1, 'must not be empty')]),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
  phase: z.string().nullish(),
});

const functionCall = z.looseObject({
  type: z.literal('function_call'),
  call_id: callName,
  name: callName,
  arguments: callArguments,
  provider_fields: jsonObject.nullish(),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const customCall = z.looseObject({
  type: z.literal('custom_tool_call'),
  call_id: callName,
  name: callName,
  input: z.string(),
  provider_fields: jsonObject.nullish(),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const callOutput = z.looseObject({
  type: z.enum(['function_call_output', 'custom_tool_call_output']),
  call_id: callName,
  output: z.union([z.string(), z.array(inputPart)]),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const reasoning = z.looseObject({
  type: z.literal('reasoning'),
  summary: z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() })),
  content: z.array(z.custom<Json>()).nullish(),
  encrypted_content: z.string().nullish(),
  provider_fields: jsonObject.nullish(),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const additionalTools = z
  .looseObject({ type: z.literal('additional_tools'), tools, id: z.string().nullish() })
  .meta({ description: 'Tools that the model may call from here on.' });

const itemReference = z.looseObject({ type: z.literal('item_reference'), id: itemId });

/** Read strictly, since it counts once: what is no clear answer is none. */
const approvalResponse = z.looseObject({
  type: z.literal('mcp_approval_response'),
  approval_request_id: itemId,
  approve: z.boolean(),
  reason: z.string().nullish(),
  id: z.string().nullish(),
});

const compaction = z.looseObject({ type: z.literal('compaction'), encrypted_content: z.string(), id: z.string().nullish() });

const known = [message, functionCall, customCall, callOutput, reasoning, additionalTools, approvalResponse, compaction] as const;
const knownTypes = [...readTypes, 'additional_tools', 'item_reference', 'mcp_approval_response', 'compaction'];

/** An item of any other type. Its own members are the provider's affair. */
const opaque = z
  .looseObject({
    type: otherType(knownTypes),
    id: z.string().max(longestItemId, 'is too long').nullish(),
  })
  .meta({ description: 'An item of any other type, as it is.' });

export const inputItem = z.union([z.discriminatedUnion('type', [...known, itemReference]), opaque]);
export type InputItemBody = z.infer<typeof inputItem>;

/** An item that a client puts into a conversation itself: one that is there already cannot be put in by reference. */
export const conversationItem = z.union([z.discriminatedUnion('type', [...known]), opaque]);
export type ConversationItemBody = z.infer<typeof conversationItem>;

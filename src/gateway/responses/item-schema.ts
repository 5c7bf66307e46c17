/** The items that the Responses API accepts. A field that is not here is an error that names it, never dropped. */
import { z } from 'zod';
import { callArguments, callName, exactlyOne, id, jsonObject } from '../http/request-fields.ts';

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete']);
const only = (what: string) => `only ${what} is supported`;

const inputText = z.strictObject({ type: z.literal('input_text'), text: z.string() });

const imageSource = exactlyOne('image_url', 'file_id');
const inputImage = z
  .strictObject({
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
  .strictObject({
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

const outputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()).optional(),
  logprobs: z.array(z.unknown()).nullish(),
});
const refusal = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

export const inputPart = z.discriminatedUnion('type', [inputText, inputImage, inputFile]);
const messagePart = z.discriminatedUnion('type', [inputText, inputImage, inputFile, outputText, refusal]);

const message = z.strictObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(messagePart).min(1, 'must not be empty')]),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
  phase: z.null(only('null')).optional(),
});

const functionCall = z.strictObject({
  type: z.literal('function_call'),
  call_id: callName,
  name: callName,
  arguments: callArguments,
  provider_fields: jsonObject.nullish(),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const functionCallOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: callName,
  output: z.union([z.string(), z.array(inputPart)]),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const reasoning = z.strictObject({
  type: z.literal('reasoning'),
  summary: z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() })),
  content: z.array(z.unknown()).max(0, 'only an empty list is supported: reasoning travels as summary').nullish(),
  encrypted_content: z.string().nullish(),
  provider_fields: jsonObject.nullish(),
  id: z.string().nullish(),
  status: itemStatus.nullish(),
});

const itemReference = z.strictObject({ type: z.literal('item_reference'), id });

export const inputItem = z.discriminatedUnion('type', [message, functionCall, functionCallOutput, reasoning, itemReference]);
export type InputItemBody = z.infer<typeof inputItem>;

/** An item that a client puts into a conversation itself: one that is there already cannot be put in by reference. */
export const conversationItem = z.discriminatedUnion('type', [message, functionCall, functionCallOutput, reasoning]);
export type ConversationItemBody = z.infer<typeof conversationItem>;

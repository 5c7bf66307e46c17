/** The messages of a Chat Completions request. A field that not every provider can be sent is an error that names it. */
import { z } from 'zod';
import type { Json } from '../../domain/item.ts';
import { callArguments, callName } from '../http/request-fields.ts';

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const refusalPart = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });
const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({
    url: z.string().min(1, 'must not be empty'),
    detail: z.enum(['auto', 'low', 'high', 'original']).optional(),
  }),
});
const filePart = z.strictObject({
  type: z.literal('file'),
  file: z
    .strictObject({ file_data: z.string().optional(), file_id: z.string().optional(), filename: z.string().optional() })
    .refine((file) => file.file_data !== undefined || file.file_id !== undefined, "needs 'file_data' or 'file_id'"),
});

const userPart = z.discriminatedUnion('type', [textPart, imagePart, filePart], 'only text, image_url and file are supported');
const assistantPart = z.discriminatedUnion('type', [textPart, refusalPart], 'only text and refusal are supported');
const texts = z.union([z.string(), z.array(textPart).min(1, 'must not be empty')]);

const call = z.strictObject({ name: callName, arguments: callArguments });

const customCall = z.strictObject({ name: callName, input: z.string() });

/** What a client library read into an earlier response, and sends back with it. It is not for the model. */
const echo = z.unknown().optional();

const instruction = { content: texts };
const user = z.strictObject({ role: z.literal('user'), content: z.union([z.string(), z.array(userPart).min(1, 'must not be empty')]) });
const assistant = z.strictObject({
  role: z.literal('assistant'),
  content: z.union([z.string(), z.array(assistantPart)]).nullish(),
  refusal: z.string().nullish(),
  /** The fields that servers have added for reasoning, as they are given out here, and as some of them want them back. */
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  reasoning_details: z.array(z.custom<Json>()).nullish(),
  tool_calls: z
    .array(
      z.discriminatedUnion(
        'type',
        // With a provider's own fields, such as a signature, as they are given out here.
        [
          z
            .object({ id: callName, type: z.literal('function'), function: call.extend({ parsed_arguments: echo }), index: echo })
            .catchall(z.custom<Json>()),
          z.object({ id: callName, type: z.literal('custom'), custom: customCall, index: echo }).catchall(z.custom<Json>()),
        ],
        "only calls of type 'function' and 'custom' are supported",
      ),
    )
    .nullish(),
  function_call: call.nullish(),
  audio: z.null('is not supported; leave it out').optional(),
  annotations: echo,
  parsed: echo,
});
const tool = z.strictObject({
  role: z.literal('tool'),
  tool_call_id: callName,
  content: texts,
  /** The function's name, which its call has already. */
  name: echo,
});
const legacyFunction = z.strictObject({
  role: z.literal('function'),
  name: z.string().min(1, 'must not be empty'),
  content: z.string().nullable(),
});

export const chatMessage = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), ...instruction }),
  z.strictObject({ role: z.literal('developer'), ...instruction }),
  user,
  assistant,
  tool,
  legacyFunction,
]);
export type ChatMessage = z.infer<typeof chatMessage>;

/**
 * The body of `POST /api/chat`, as the AI SDK's `DefaultChatTransport` sends it. Messages are the UI's own records, most of
 * whose fields are not for us: `items.ts` checks those that it reads.
 */
import { z } from 'zod';
import type { Misnamed } from '../http/misnamed.ts';
import { id, jsonObject } from '../http/request-fields.ts';

const filled = z.string().min(1, 'must not be empty');

const part = z.looseObject({ type: z.string() });
export const uiMessage = z.looseObject({
  id: z.string().optional(),
  role: z.enum(['system', 'user', 'assistant']),
  parts: z.array(part),
});
export type UiMessage = z.infer<typeof uiMessage>;
export type UiPart = z.infer<typeof part>;

/** What `useChat({ body })` may add: the settings of a turn. */
const settings = {
  model: filled.nullish(),
  instructions: z.string().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  reasoning: z
    .strictObject({ effort: filled.max(20, 'is too long').nullish(), summary: z.enum(['auto', 'concise', 'detailed']).nullish() })
    .nullish(),
  tools: z
    .array(
      z.strictObject({
        type: z.literal('function', "only tools of type 'function' are supported"),
        name: filled.max(64, 'is too long'),
        description: z.string().nullish(),
        parameters: jsonObject.nullish(),
        strict: z.boolean().nullish(),
      }),
    )
    .nullish(),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.strictObject({ type: z.literal('function'), name: filled })]).nullish(),
};

export const uiRequest = z
  .strictObject({
    id,
    messages: z.array(uiMessage).min(1, 'must not be empty').optional(),
    /** Instead of all messages the newest, as the AI SDK's documentation suggests where the server has the others. */
    message: uiMessage.optional(),
    trigger: z.enum(['submit-message', 'regenerate-message']).optional(),
    messageId: z.string().nullish(),
    ...settings,
  })
  .refine((body) => (body.messages === undefined) !== (body.message === undefined), {
    path: ['messages'],
    message: "give either 'messages' or 'message'",
  });
export type UiRequest = z.infer<typeof uiRequest>;

export const misnamedInUi: Misnamed = {
  input: "It is 'messages' here; POST /v1/responses takes 'input'.",
  prompt: "It is 'messages' here.",
  system: "It is 'instructions' here.",
  max_tokens: "It is 'max_output_tokens' here.",
  maxOutputTokens: "It is 'max_output_tokens' here.",
  topP: "It is 'top_p' here.",
  toolChoice: "It is 'tool_choice' here.",
};

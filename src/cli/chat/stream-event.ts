/** Events of a stream, as far as the chat looks at them. Of what it does not know, it asks nothing. */
import { z } from 'zod';

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const stated = z.object({ code: text, message: text }).nullish().catch(undefined);

const schema = z.object({
  type: z.string(),
  sequence_number: number,
  delta: text,
  content_index: number,
  summary_index: number,
  item: z.object({ type: text, name: text, arguments: text }).optional().catch(undefined),
  response: z
    .object({
      id: text,
      status: text,
      error: stated,
      incomplete_details: z.object({ reason: text }).nullish().catch(undefined),
    })
    .optional()
    .catch(undefined),
  // Of an `error` event, flat and nested.
  code: text,
  message: text,
  error: stated,
});

export type StreamEvent = Readonly<z.infer<typeof schema>>;

/** @returns undefined for what is no event at all, `[DONE]` among it */
export function readEvent(data: string): StreamEvent | undefined {
  try {
    return schema.safeParse(JSON.parse(data)).data;
  } catch {
    return undefined;
  }
}

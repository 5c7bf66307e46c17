/** The objects inside OpenAI's Responses events. Pure. */
export type Fields = Readonly<Record<string, unknown>>;
export type PartKind = 'output_text' | 'refusal' | 'summary_text';

export type CallType = 'function_call' | 'custom_tool_call';

/** The output item that is being written. */
export interface OpenItem {
  readonly type: 'message' | 'reasoning' | CallType;
  readonly id: string;
  readonly fields: Fields;
  readonly parts: Fields[];
  partKind: PartKind | undefined;
  /** The text so far of the open part, or the call's arguments or input so far. */
  text: string;
}

/** The fields of OpenAI's response object, in its order; the writer fills in `id` and `model`. */
export const responseEnvelope = {
  id: '',
  object: 'response',
  created_at: 1_700_000_000,
  status: 'in_progress',
  background: false,
  error: null,
  incomplete_details: null,
  instructions: null,
  max_output_tokens: null,
  model: '',
  output: [],
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  store: false,
  temperature: 1,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: 1,
  truncation: 'disabled',
  usage: null,
  user: null,
  metadata: {},
} as const;

export const textEvent = {
  output_text: 'response.output_text',
  refusal: 'response.refusal',
  summary_text: 'response.reasoning_summary_text',
} as const satisfies Record<PartKind, string>;

export const partEvent = {
  output_text: 'response.content_part',
  refusal: 'response.content_part',
  summary_text: 'response.reasoning_summary_part',
} as const satisfies Record<PartKind, string>;

/** What the events of a call are called, and what holds the text of them all. */
export const callEvent = {
  function_call: { name: 'response.function_call_arguments', member: 'arguments' },
  custom_tool_call: { name: 'response.custom_tool_call_input', member: 'input' },
} as const satisfies Record<CallType, { readonly name: string; readonly member: string }>;

export function partOf(kind: PartKind, text: string): Fields {
  if (kind === 'refusal') return { type: kind, refusal: text };
  return kind === 'output_text' ? { type: kind, text, annotations: [], logprobs: [] } : { type: kind, text };
}

export function itemOf({ type, id, fields, parts, text }: OpenItem, status: string): Fields {
  if (type === 'reasoning') return { id, type, summary: [...parts] };
  if (type === 'message') return { id, type, status, ...fields, content: [...parts] };
  return { id, type, status, ...fields, [callEvent[type].member]: text };
}

export function usageOf(inputTokens: number, outputTokens: number): Fields {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

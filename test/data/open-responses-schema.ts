/**
 * What the Open Responses specification asks of responses and streaming events, as JSON Schema.
 *
 * Source: github.com/openresponses/openresponses, `public/openapi/openapi.json`, version 2026-04-24. Written down here
 * from what it says: which keys must be there, of what type they are, which words they may be. Where it stops (its
 * objects are open) so does this.
 */
type Schema = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, Schema>>;

const string: Schema = { type: 'string' };
const integer: Schema = { type: 'integer' };
const number: Schema = { type: 'number' };
const boolean: Schema = { type: 'boolean' };
const anything: Schema = {};
const nothing: Schema = { type: 'null' };
const words = (...values: readonly string[]): Schema => ({ enum: values });
const either = (...schemas: readonly Schema[]): Schema => ({ anyOf: schemas });
const nullable = (schema: Schema): Schema => either(schema, nothing);
const listOf = (items: Schema): Schema => ({ type: 'array', items });
const object = (required: Fields, optional: Fields = {}): Schema => ({
  type: 'object',
  required: Object.keys(required),
  properties: { ...required, ...optional },
});
/** An object told by its `type`. */
const tagged = (type: string, required: Fields = {}, optional: Fields = {}): Schema =>
  object({ type: { const: type }, ...required }, optional);
/** One of several such; errors then speak of the one that was meant. */
const oneByType = (...schemas: readonly Schema[]): Schema => ({
  type: 'object',
  discriminator: { propertyName: 'type' },
  required: ['type'],
  oneOf: schemas,
});

const topLogProb = object({ token: string, logprob: number, bytes: listOf(integer) });
const logProbs = listOf(object({ token: string, logprob: number, bytes: listOf(integer), top_logprobs: listOf(topLogProb) }));
const annotation = tagged('url_citation', { url: string, start_index: integer, end_index: integer, title: string });

const inputText = tagged('input_text', { text: string });
const inputImage = tagged('input_image', { image_url: nullable(string), detail: words('low', 'high', 'auto') });
const inputFile = tagged('input_file', {}, { filename: string, file_url: string });
const parts = [
  inputText,
  tagged('output_text', { text: string, annotations: listOf(annotation) }, { logprobs: logProbs }),
  tagged('text', { text: string }),
  tagged('summary_text', { text: string }),
  tagged('reasoning_text', { text: string }),
  tagged('refusal', { refusal: string }),
  inputImage,
  inputFile,
];
const part = oneByType(...parts);
const messagePart = oneByType(...parts, tagged('input_video', { video_url: string }));

const itemStatus = words('in_progress', 'completed', 'incomplete');

export const itemSchema = oneByType(
  tagged(
    'message',
    { id: string, status: itemStatus, role: words('user', 'assistant', 'system', 'developer'), content: listOf(messagePart) },
    { phase: words('commentary', 'final_answer') },
  ),
  tagged('function_call', { id: string, call_id: string, name: string, arguments: string, status: itemStatus }),
  tagged('function_call_output', {
    id: string,
    call_id: string,
    output: either(string, listOf(oneByType(inputText, inputImage, inputFile))),
    status: itemStatus,
  }),
  tagged('reasoning', { id: string, summary: listOf(part) }, { content: listOf(part), encrypted_content: string }),
  tagged('compaction', { id: string, encrypted_content: string }, { created_by: string }),
);

const functionTool = tagged('function', {
  name: string,
  description: nullable(string),
  parameters: nullable({ type: 'object' }),
  strict: nullable(boolean),
});
const toolMode = words('none', 'auto', 'required');
const functionChoice = tagged('function', {}, { name: string });

const usage = object({
  input_tokens: integer,
  output_tokens: integer,
  total_tokens: integer,
  input_tokens_details: object({ cached_tokens: integer }),
  output_tokens_details: object({ reasoning_tokens: integer }),
});

const textFormat = oneByType(
  tagged('text'),
  tagged('json_object'),
  // The specification's own `schema` here is always null, which no server keeps to: OpenAI's tells the schema it was given.
  tagged('json_schema', { name: string, description: nullable(string), schema: nullable({ type: 'object' }), strict: boolean }),
);

export const responseSchema = object({
  id: string,
  object: { const: 'response' },
  created_at: integer,
  completed_at: nullable(integer),
  status: string,
  incomplete_details: nullable(object({ reason: string })),
  model: string,
  previous_response_id: nullable(string),
  instructions: nullable(string),
  output: listOf(itemSchema),
  error: nullable(object({ code: string, message: string })),
  tools: listOf(functionTool),
  tool_choice: either(toolMode, functionChoice, tagged('allowed_tools', { tools: listOf(functionChoice), mode: toolMode })),
  truncation: words('auto', 'disabled'),
  parallel_tool_calls: boolean,
  text: object({ format: textFormat }, { verbosity: words('low', 'medium', 'high') }),
  top_p: number,
  presence_penalty: number,
  frequency_penalty: number,
  top_logprobs: integer,
  temperature: number,
  reasoning: nullable(
    object({
      effort: nullable(words('none', 'low', 'medium', 'high', 'xhigh')),
      summary: nullable(words('concise', 'detailed', 'auto')),
    }),
  ),
  usage: nullable(usage),
  max_output_tokens: nullable(integer),
  max_tool_calls: nullable(integer),
  store: boolean,
  background: boolean,
  service_tier: string,
  metadata: anything,
  safety_identifier: nullable(string),
  prompt_cache_key: nullable(string),
});

export const compactionSchema = object({
  id: string,
  object: { const: 'response.compaction' },
  output: listOf(itemSchema),
  created_at: integer,
  usage,
});

const event = (type: string, required: Fields, optional?: Fields): Schema => tagged(type, { sequence_number: integer, ...required }, optional);
const inItem: Fields = { item_id: string, output_index: integer };
const inPart: Fields = { ...inItem, content_index: integer };
const inSummary: Fields = { ...inItem, summary_index: integer };
const padding: Fields = { obfuscation: string };

const lifecycle = ['created', 'queued', 'in_progress', 'completed', 'failed', 'incomplete'];
const errorPayload = object(
  { type: string, code: nullable(string), message: string, param: nullable(string) },
  { headers: { type: 'object', additionalProperties: string } },
);

export const eventSchema = oneByType(
  ...lifecycle.map((name) => event(`response.${name}`, { response: responseSchema })),
  event('response.output_item.added', { output_index: integer, item: itemSchema }),
  event('response.output_item.done', { output_index: integer, item: itemSchema }),
  event('response.content_part.added', { ...inPart, part }),
  event('response.content_part.done', { ...inPart, part }),
  event('response.output_text.delta', { ...inPart, delta: string }, { logprobs: logProbs, ...padding }),
  event('response.output_text.done', { ...inPart, text: string }, { logprobs: logProbs }),
  event('response.output_text.annotation.added', { ...inPart, annotation_index: integer, annotation: nullable(annotation) }),
  event('response.refusal.delta', { ...inPart, delta: string }),
  event('response.refusal.done', { ...inPart, refusal: string }),
  event('response.reasoning.delta', { ...inPart, delta: string }, padding),
  event('response.reasoning.done', { ...inPart, text: string }),
  event('response.reasoning_summary_part.added', { ...inSummary, part }),
  event('response.reasoning_summary_part.done', { ...inSummary, part }),
  event('response.reasoning_summary_text.delta', { ...inSummary, delta: string }, padding),
  event('response.reasoning_summary_text.done', { ...inSummary, text: string }),
  event('response.function_call_arguments.delta', { ...inItem, delta: string }, padding),
  event('response.function_call_arguments.done', { ...inItem, arguments: string }),
  event('error', { error: errorPayload }),
);

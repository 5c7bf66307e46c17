/** The form of a configuration, and every mistake in it as `path: what is wrong`. No message repeats a value: it may be a key. */
import { z } from 'zod';
import type { Json } from '../domain/item.ts';
import { type ToolInput, toolMark } from './define-tool.ts';
import { nearestName } from '../domain/nearest-name.ts';
import { apiOf, cannotReattach, webAddress } from './setting-values.ts';

function isJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === null || ['string', 'number', 'boolean'].includes(typeof value);
  return Object.values(value).every(isJson);
}

/** @param what as in "must be a number" */
function wants(what: string) {
  return {
    error: ({ input }: { readonly input?: unknown }) => (input === undefined ? `is missing, and must be ${what}` : `must be ${what}`),
  };
}

/** Object of these members and no others. */
function closed<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    // `mistakesOf` takes the known names from here: an issue does not have its schema.
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : wants('an object').error(issue)),
  });
}

const text = z.string(wants('a text'));
const filledText = text.refine((value) => value.trim() !== '', { error: 'is empty' });
const number = z.number(wants('a number'));
const truth = z.boolean(wants('true or false'));
const texts = z.array(text, wants('a list of texts'));
const json = z.record(z.string(), z.custom<Json>(isJson, wants('JSON')), wants('an object'));
const named = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, wants('an object, a member for each name')).optional();
const oneOf = <const Values extends readonly [string, ...string[]]>(...values: Values) => z.enum(values, wants(values.join(' or ')));

const wholeFrom = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const rule = wants(max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min} on` : `a whole number from ${min} to ${max}`);
  return z.int(rule).min(min, rule).max(max, rule);
};
const money = z.number(wants('a number of US dollars')).nonnegative({ error: 'must not be negative' });

const limits = closed({
  steps: wholeFrom(1).optional(),
  toolCalls: wholeFrom(1).optional(),
  outputTokens: wholeFrom(1).optional(),
  costUsd: money.positive({ error: 'must be more than 0' }).optional(),
  wallTimeMs: wholeFrom(1).optional(),
});

const settings = closed({
  temperature: number.optional(),
  top_p: number.optional(),
  presence_penalty: number.optional(),
  frequency_penalty: number.optional(),
  top_logprobs: wholeFrom(0).optional(),
  max_output_tokens: wholeFrom(1).optional(),
  max_tool_calls: wholeFrom(1).optional(),
  parallel_tool_calls: truth.optional(),
  tool_choice: z.union([oneOf('none', 'auto', 'required'), json], { error: 'must be none, auto, required, or an object' }).optional(),
  reasoning: json.optional(),
  text: json.optional(),
  truncation: oneOf('auto', 'disabled').optional(),
  include: texts.optional(),
  service_tier: text.optional(),
  safety_identifier: text.optional(),
  prompt_cache_key: text.optional(),
  prompt_cache_retention: text.optional(),
});

const agent = closed({
  model: filledText,
  description: filledText.optional(),
  instructions: text.optional(),
  tools: texts.optional(),
  settings: settings.optional(),
  limits: limits.optional(),
  compaction: oneOf('auto', 'error', 'off').optional(),
  contextTokens: wholeFrom(1_024).optional(),
});

/** `setTimeout` fires at once on anything longer. */
const longestTimerMs = 2 ** 31 - 1;

const isFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', wants('a function'));

const tool = closed({
  description: filledText,
  input: z.custom<ToolInput>(
    (value) => typeof value === 'object' && value !== null && '~standard' in value,
    wants('a schema of zod 4, such as z.object({ … })'),
  ),
  run: isFunction,
  attempts: wholeFrom(1, 10).optional(),
  timeoutMs: wholeFrom(1, longestTimerMs).optional(),
  needsApproval: z.union([z.boolean(), isFunction], { error: 'must be true, false, or a function of the arguments' }).optional(),
});

const definedTool = z
  .custom((value) => typeof value === 'object' && value !== null && toolMark in value, {
    error: 'must be made by defineTool({ … }) of turnkeep/config',
    abort: true,
  })
  .pipe(tool);

/** What becomes of `process.env.NAME` where it is unset: the name stays, and has nothing. */
const variables = z.record(z.string(), text.optional(), wants('an object of texts')).optional();

const mcpServer = closed({
  command: filledText.optional(),
  args: texts.optional(),
  env: variables,
  url: text
    .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), { error: 'must be an http:// or https:// address' })
    .refine((value) => !URL.parse(value)?.username && !URL.parse(value)?.password, {
      error: 'must have no user and no password: see headers',
    })
    .optional(),
  headers: variables,
  needsApproval: z
    .union([z.enum(['always', 'never']), z.array(z.string())], { error: 'must be always, never, or a list of tools' })
    .optional(),
});

const provider = closed({
  baseUrl: webAddress.optional(),
  apiKey: text.optional(),
  api: oneOf('chat', 'responses').optional(),
  reattach: truth.optional(),
}).superRefine(({ baseUrl, api = apiOf(baseUrl), reattach }, context) => {
  if (reattach === true && api === 'chat') context.addIssue({ code: 'custom', path: ['reattach'], message: cannotReattach });
});

export const configShape = closed({
  providers: named(provider),
  agents: named(agent),
  tools: named(definedTool),
  mcpServers: named(mcpServer),
  prices: named(closed({ input: money, cachedInput: money.optional(), output: money })),
  limits: closed({ turn: limits.optional(), session: limits.optional() }).optional(),
});

export type ConfigShape = z.output<typeof configShape>;

export function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    const name = String(part);
    if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `${before}[${JSON.stringify(name)}]`;
    return before === '' ? name : `${before}.${name}`;
  }, '');
}

/** `; did you mean "search"?`, or, where nothing is near, what there is. */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  if (nearest !== undefined) return `; did you mean ${JSON.stringify(nearest)}?`;
  return known.length === 0 || known.length > 20 ? '' : ` (there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')})`;
}

export function mistakesOf(error: z.core.$ZodError): readonly string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [`${pathOf(issue.path) || 'the configuration'}: ${issue.message}`];
    const known = issue.message.split(' ');
    return issue.keys.map((key) => `${pathOf([...issue.path, key])}: is not known${suggestion(key, known)}`);
  });
}

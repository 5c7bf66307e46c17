/** A prompt as a request of the Responses API. Pure. Nothing is stored there: the transcript is ours. */
import type { ResponseCreateParamsStreaming, ResponseTextConfig, Tool } from 'openai/resources/responses/responses';
import type { ReasoningEffort } from 'openai/resources/shared';
import { asksFor, encryptedReasoning, type ModelRequest } from '../../domain/model.ts';
import type { FunctionTool, ResponseSettings, ToolChoice } from '../../domain/response-settings.ts';
import { inputOf } from './responses-input.ts';
import { omitNullish } from './omit-nullish.ts';

/** The two penalties are Open Responses' own. */
type Request = ResponseCreateParamsStreaming & { presence_penalty?: number; frequency_penalty?: number };

export function responsesRequest({ settings, items }: ModelRequest): Request {
  const { tools } = settings;
  return {
    model: settings.model,
    input: items.flatMap(inputOf),
    stream: true,
    store: false,
    ...omitNullish({
      instructions: settings.instructions,
      temperature: settings.temperature,
      top_p: settings.top_p,
      presence_penalty: settings.presence_penalty,
      frequency_penalty: settings.frequency_penalty,
      max_output_tokens: settings.max_output_tokens,
      max_tool_calls: settings.max_tool_calls,
      text: textOf(settings.text),
      tools: tools.length === 0 ? null : tools.map(toolOf),
      tool_choice: settings.tool_choice === null ? null : choiceOf(settings.tool_choice),
      parallel_tool_calls: settings.parallel_tool_calls,
      reasoning: orNull(omitNullish({ effort: settings.reasoning.effort as ReasoningEffort, summary: settings.reasoning.summary })),
      truncation: settings.truncation,
      // Of what can be included, this alone is not a matter of tools that are not offered here.
      include: asksFor(settings, encryptedReasoning) ? [encryptedReasoning] : null,
      // Which words there are is the provider's to say: new ones come with new models.
      service_tier: settings.service_tier as Request['service_tier'],
      safety_identifier: settings.safety_identifier,
      prompt_cache_key: settings.prompt_cache_key,
      prompt_cache_retention: settings.prompt_cache_retention as Request['prompt_cache_retention'],
      user: settings.user,
    }),
  };
}

function textOf({ format, verbosity }: ResponseSettings['text']): ResponseTextConfig | null {
  if (format.type === 'text') return orNull(omitNullish({ verbosity }));
  if (format.type === 'json_object') return { format, ...omitNullish({ verbosity }) };
  const { description, strict, ...rest } = format;
  return { format: { ...rest, ...omitNullish({ description, strict }) }, ...omitNullish({ verbosity }) };
}

/** `parameters` is a key that the API requires, null for none; `strict` has a default of the provider's own. */
function toolOf({ type, name, parameters, description, strict }: FunctionTool): Tool {
  return { type, name, parameters, ...omitNullish({ description, strict }) } as Tool;
}

function choiceOf(choice: ToolChoice): NonNullable<Request['tool_choice']> {
  if (typeof choice === 'string' || choice.type === 'function') return choice;
  return { type: 'allowed_tools', mode: choice.mode, tools: choice.tools.map(({ type, name }) => ({ type, name })) };
}

function orNull<T extends object>(value: T): T | null {
  return Object.keys(value).length === 0 ? null : value;
}

/** Builds a request of the Responses API. Pure. Always `store: false`: turnkeep has the conversation itself. */
import type { ResponseCreateParamsStreaming, ResponseTextConfig, Tool } from 'openai/resources/responses/responses';
import { encryptedReasoning, type ModelRequest } from '../../domain/model.ts';
import type { ResponseSettings, Tool as OfferedTool } from '../../domain/response/response-settings.ts';
import { omitNullish } from '../json.ts';
import type { PromptForm } from './learned-forms.ts';
import { responsesInputOf } from './responses-input.ts';
import { joinInstructions } from './strict-roles.ts';

/** The two penalties exist in Open Responses only. */
type Request = ResponseCreateParamsStreaming & { presence_penalty?: number; frequency_penalty?: number };

/**
 * @param isOpenAiHost OpenAI's own takes messages of the system anywhere, and shorter ids and names of calls
 * @param form what the server is known to refuse
 */
export function responsesRequest(request: ModelRequest, isOpenAiHost = true, form?: Pick<PromptForm, 'refusesToEncrypt'>): Request {
  const { settings, items } = request;
  const { tools } = settings;
  const given = { instructions: settings.instructions, items };
  const prompt = isOpenAiHost ? given : joinInstructions(given);
  const input = prompt.items.flatMap((item) => responsesInputOf(item, isOpenAiHost));
  return {
    model: settings.model,
    input,
    stream: true,
    store: false,
    ...settings.passed,
    ...omitNullish({
      instructions: prompt.instructions,
      temperature: settings.temperature,
      top_p: settings.top_p,
      presence_penalty: settings.presence_penalty,
      frequency_penalty: settings.frequency_penalty,
      max_output_tokens: settings.max_output_tokens,
      max_tool_calls: settings.max_tool_calls,
      text: textOf(settings.text),
      tools: tools.length === 0 ? null : tools.map(toolOf),
      tool_choice: settings.tool_choice as Request['tool_choice'],
      parallel_tool_calls: settings.parallel_tool_calls,
      reasoning: orNull(omitNullish(settings.reasoning)) as Request['reasoning'],
      truncation: settings.truncation,
      include: orNull(includeOf(request, form)) as Request['include'],
      // Passed on unchecked: new models bring new values, and the provider rejects what it does not know.
      service_tier: settings.service_tier as Request['service_tier'],
      safety_identifier: settings.safety_identifier,
      prompt_cache_key: settings.prompt_cache_key,
      prompt_cache_retention: settings.prompt_cache_retention as Request['prompt_cache_retention'],
      user: settings.user,
    }),
  };
}

/** What a client has asked for, it is refused where it cannot be had. */
function includeOf(
  { settings: { include }, wantsReasoning }: ModelRequest,
  form?: Pick<PromptForm, 'refusesToEncrypt'>,
): readonly string[] {
  const isWanted = wantsReasoning === true && form?.refusesToEncrypt !== true && !include.includes(encryptedReasoning);
  return isWanted ? [...include, encryptedReasoning] : include;
}

function textOf({ format, verbosity }: ResponseSettings['text']): ResponseTextConfig | null {
  if (format.type === 'text') return orNull(omitNullish({ verbosity }));
  if (format.type === 'json_object') return { format, ...omitNullish({ verbosity }) };
  const { description, strict, ...rest } = format;
  return { format: { ...rest, ...omitNullish({ description, strict }) }, ...omitNullish({ verbosity }) };
}

/** The API requires `parameters`, with null for none; other members that are null are left out, so that the provider's default holds. */
function toolOf(tool: OfferedTool): Tool {
  if (tool.type === 'namespace') return { ...omitNullish(tool), tools: tool.tools.map(toolOf) } as Tool;
  if (tool.type === 'function') return { ...omitNullish(tool), parameters: tool.parameters } as Tool;
  return omitNullish(tool) as Tool;
}

function orNull<T extends object>(value: T): T | null {
  return Object.keys(value).length === 0 ? null : value;
}

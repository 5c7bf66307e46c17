/** The fields of a Responses request that are a turn's settings. Pure. */
import type { JsonObject } from '../../domain/item.ts';
import { defaultSettings, type ResponseSettings, type TextFormat, type Tool } from '../../domain/response/response-settings.ts';
import { requireModel, type SubmitDeps, type TurnDraft } from '../submit/submit-turn.ts';
import { responsesInput } from './items.ts';
import type { CreateResponse } from './schema.ts';
import type { ToolBody } from './tool-schema.ts';
import { sharedSettings } from '../submit/shared-settings.ts';

export function responsesSettings(body: CreateResponse, model: string): ResponseSettings {
  return {
    ...defaultSettings(model),
    ...sharedSettings(body),
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    text: { format: formatOf(body), verbosity: body.text?.verbosity ?? null },
    tools: (body.tools ?? []).map(toolOf),
    tool_choice: body.tool_choice ?? null,
    parallel_tool_calls: body.parallel_tool_calls ?? null,
    reasoning: reasoningOf(body),
    truncation: body.truncation ?? null,
    include: body.include ?? [],
    metadata: body.metadata ?? {},
    store: body.store ?? true,
    background: body.background ?? false,
    ...passedOf(body),
  };
}

/** Members that every response shows, null where the request does not say; all others as they came. */
function toolOf(tool: ToolBody): Tool {
  const given = tool as Tool;
  if (given.type === 'namespace') return { ...given, tools: given.tools.map((member) => toolOf(member as ToolBody)) };
  if (given.type === 'custom') return { ...given, description: given.description ?? null };
  if (given.type !== 'function') return given;
  const { description, parameters, strict } = given;
  return { ...given, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null };
}

function reasoningOf({ reasoning }: CreateResponse): ResponseSettings['reasoning'] {
  const { effort, summary, generate_summary, ...rest } = reasoning ?? {};
  return { ...rest, effort: effort ?? null, summary: summary ?? generate_summary ?? null };
}

const passedFields = [
  'client_metadata',
  'prompt_cache_options',
  'context_management',
  'moderation',
  'image',
  'access_programs',
  'prompt',
  'top_logprobs',
] as const satisfies readonly (keyof CreateResponse)[];

function passedOf(body: CreateResponse): Pick<ResponseSettings, 'passed'> {
  const passed = Object.fromEntries(passedFields.flatMap((name) => (body[name] == null ? [] : [[name, body[name]]])));
  return Object.keys(passed).length === 0 ? {} : { passed: passed as JsonObject };
}

function formatOf({ text }: CreateResponse): TextFormat {
  const format = text?.format ?? { type: 'text' as const };
  if (format.type !== 'json_schema') return format;
  return { ...format, description: format.description ?? null, strict: format.strict ?? null };
}

/** The turn that a request asks for, by whichever transport it came. @throws ApiError 400 naming `model` when neither the request nor the configuration names one */
export function responseDraft(body: CreateResponse, deps: SubmitDeps): TurnDraft {
  return {
    settings: responsesSettings(body, requireModel(body.model, deps)),
    input: responsesInput(body.input ?? []),
    session: typeof body.conversation === 'string' ? body.conversation : (body.conversation?.id ?? null),
    previous: body.previous_response_id ?? null,
  };
}

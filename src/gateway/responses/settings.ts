/** The fields of a Responses request that are a turn's settings. Pure. */
import { defaultSettings, type ResponseSettings, type TextFormat } from '../../domain/response-settings.ts';
import type { CreateResponse } from './schema.ts';
import { requireModel, type SubmitDeps, type TurnDraft } from '../submit/submit-turn.ts';
import { responsesInput } from './items.ts';
import { sharedSettings } from '../submit/shared-settings.ts';

export function responsesSettings(body: CreateResponse, model: string): ResponseSettings {
  return {
    ...defaultSettings(model),
    ...sharedSettings(body),
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    text: { format: formatOf(body), verbosity: body.text?.verbosity ?? null },
    tools: (body.tools ?? []).map(({ type, name, description, parameters, strict }) => ({
      type,
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? null,
    })),
    tool_choice: body.tool_choice ?? null,
    parallel_tool_calls: body.parallel_tool_calls ?? null,
    reasoning: {
      effort: body.reasoning?.effort ?? null,
      summary: body.reasoning?.summary ?? body.reasoning?.generate_summary ?? null,
    },
    truncation: body.truncation ?? null,
    include: body.include ?? [],
    metadata: body.metadata ?? {},
    store: body.store ?? true,
    background: body.background ?? false,
  };
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
    input: responsesInput(body.input),
    session: typeof body.conversation === 'string' ? body.conversation : (body.conversation?.id ?? null),
    previous: body.previous_response_id ?? null,
  };
}

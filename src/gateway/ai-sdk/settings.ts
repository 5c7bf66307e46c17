/** The fields of a UI request that are a turn's settings. Pure. */
import { defaultSettings, type ResponseSettings } from '../../domain/response/response-settings.ts';
import type { UiRequest } from './request-schema.ts';

export function uiSettings(body: UiRequest, model: string): ResponseSettings {
  return {
    ...defaultSettings(model),
    instructions: body.instructions ?? null,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    tools: (body.tools ?? []).map(({ type, name, description, parameters, strict }) => {
      return { type, name, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null };
    }),
    tool_choice: body.tool_choice ?? null,
  };
}

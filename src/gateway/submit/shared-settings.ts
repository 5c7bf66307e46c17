/** The settings that Responses and Chat Completions requests call by the same names. Pure. */
import type { ResponseSettings } from '../../domain/response/response-settings.ts';

type SharedSettings = Pick<
  ResponseSettings,
  | 'temperature'
  | 'top_p'
  | 'presence_penalty'
  | 'frequency_penalty'
  | 'service_tier'
  | 'safety_identifier'
  | 'prompt_cache_key'
  | 'prompt_cache_retention'
  | 'user'
>;

/** null for fields that the request leaves out. */
export function sharedSettings(body: { readonly [name in keyof SharedSettings]?: SharedSettings[name] | undefined }): SharedSettings {
  return {
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    presence_penalty: body.presence_penalty ?? null,
    frequency_penalty: body.frequency_penalty ?? null,
    service_tier: body.service_tier ?? null,
    safety_identifier: body.safety_identifier ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    prompt_cache_retention: body.prompt_cache_retention ?? null,
    user: body.user ?? null,
  };
}

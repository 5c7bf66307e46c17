/** What a turn of an agent is asked with: the request's settings, and where it says nothing the agent's. Pure. */
import type { Agent } from './agent.ts';
import type { Json, JsonObject } from '../item.ts';
import type { ResponseSettings } from '../response/response-settings.ts';

/** @param settings of the request; their `model` is the agent's name */
export function settingsOfAgent(agent: Agent, settings: ResponseSettings): ResponseSettings {
  const instructions = [agent.instructions, settings.instructions].filter((text) => text != null && text !== '');
  return {
    ...withDefaults(settings, agent.settings),
    instructions: instructions.length === 0 ? null : instructions.join('\n\n'),
    agent,
  };
}

/** What the request does not say itself, the agent's settings say. */
function withDefaults(settings: ResponseSettings, defaults: JsonObject): ResponseSettings {
  const known = settings as unknown as Readonly<Record<string, Json>>;
  const missing = Object.entries(defaults).filter(([name]) => known[name] == null || isUnsaid(known[name]));
  return { ...settings, ...Object.fromEntries(missing) };
}

/** `reasoning`, `text` and `include` have a form also where the request says nothing of them. */
function isUnsaid(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(
    (member) => member === null || (typeof member === 'object' && (member as JsonObject)['type'] === 'text'),
  );
}

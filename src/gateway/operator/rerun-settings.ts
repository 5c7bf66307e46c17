/** The settings of a turn that is asked once more, with some of them changed. Pure. */
import { z } from 'zod';
import { unsupportedBy, withFieldsInForce } from '../../domain/provider-capabilities.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import { withToolsInForce } from '../../domain/agents/tools.ts';
import { noBudgets, withBudget } from '../../domain/turn/turn-budget.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { ApiError } from '../http/errors.ts';
import { createResponse } from '../responses/schema.ts';
import { responsesSettings } from '../responses/settings.ts';
import { assertSupported } from '../submit/submit-error.ts';
import type { SubmitDeps } from '../submit/submit-turn.ts';

const { model, instructions, tools, tool_choice, text, reasoning, temperature, top_p, max_output_tokens, max_tool_calls } =
  createResponse.shape;

/** Fields of `POST /v1/responses` that take the place of the turn's own. */
export const changedFields = z.strictObject({
  model,
  instructions,
  tools,
  tool_choice,
  text,
  reasoning,
  temperature,
  top_p,
  max_output_tokens,
  max_tool_calls,
});

export type ChangedFields = z.infer<typeof changedFields>;

/** @throws ApiError 400 naming what the turn's provider cannot be sent, or a model that is an agent's name */
export function rerunSettings(
  { agents, providerApi }: Pick<SubmitDeps, 'agents' | 'providerApi'>,
  { settings }: TurnRow,
  changed: ChangedFields,
): ResponseSettings {
  const asked = changed.model ?? undefined;
  if (asked !== undefined && agents?.agents.has(asked) === true) throw isAgent(asked);
  const given = responsesSettings(changed, settings.model) as unknown as Readonly<Record<string, unknown>>;
  const fields = Object.fromEntries(Object.keys(changed).flatMap((name) => (name === 'model' ? [] : [[name, given[name]]])));
  const named = asked === undefined ? settings : withModel(settings, asked);
  const whole: ResponseSettings = { ...named, ...fields, background: true, store: true };
  const provider = whole.agent?.provider ?? 'default';
  const api = provider === 'default' ? providerApi : (agents?.apiOf(provider) ?? providerApi);
  const inForce = changed.tools == null ? whole : withToolsInForce(api, withFieldsInForce(api, whole), []);
  assertSupported(unsupportedBy(api, { settings: inForce, items: [] }));
  return withBudget(inForce, inForce.agent, agents?.budgets ?? noBudgets);
}

/** An agent keeps its name, its provider, its tools and its instructions, and another model answers for it. */
function withModel(settings: ResponseSettings, asked: string): ResponseSettings {
  const { agent } = settings;
  return agent === undefined ? { ...settings, model: asked } : { ...settings, agent: { ...agent, model: asked } };
}

function isAgent(name: string): ApiError {
  const message = `Invalid 'set.model': '${name}' is an agent, and a turn that is asked again keeps its own. Name a model; or fork the turn, and send the new conversation a request for that agent.`;
  return new ApiError({ status: 400, param: 'set.model', code: 'invalid_value', message });
}

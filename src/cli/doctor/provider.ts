/** Do the model providers answer, and take their keys? Asked for nothing but the list of their models, which costs nothing. */
import type { Config } from '../../config/config.ts';
import type { AgentConfig } from '../../config/agent-config.ts';
import { fullMessageOf, type ModelFailure } from '../../domain/model.ts';
import { createProvider, type ProviderOptions } from '../../providers/create-provider.ts';
import { openAiBaseUrl } from '../../providers/openai/endpoint.ts';
import type { ModelList } from '../../gateway/operator/models.ts';
import { listModels } from '../../roles/provider-answers.ts';
import type { Finding } from '../../store/ports/diagnosis.ts';
import type { Check } from './checks.ts';

/** For the whole list. */
const listWithinMs = 8_000;

/** Where there is no provider at all: `isDev` says that a `dev` runs, which has its demo model. */
export function providerChecks(config: Config, agents: AgentConfig | undefined, isDev: boolean): readonly Check[] {
  const { provider: environment, limits } = config;
  const named = [...(agents?.providers ?? [])].map(([name, settings]) => ({ name, ...settings }));
  const isSet = environment.baseUrl !== undefined || environment.apiKey !== undefined;
  const all = [...(isSet ? [{ name: 'default', ...environment }] : []), ...named];
  if (all.length === 0) return [{ name: 'provider', look: async () => [noProvider(isDev)] }];
  return all.map(({ name, api, baseUrl, apiKey }) => {
    const check = name === 'default' ? 'provider' : `provider ${name}`;
    const model = name === 'default' ? environment.model : undefined;
    return { name: check, look: () => lookAtProvider(check, { api, baseUrl, apiKey, limits }, model) };
  });
}

function noProvider(isDev: boolean): Finding {
  const check = 'provider';
  if (isDev) return { check, status: 'ok', seen: 'none is set here; the running `turnkeep dev` has its own, or its demo model' };
  const seen = 'OPENAI_BASE_URL and OPENAI_API_KEY are both unset, and the configuration has no providers';
  return { check, status: 'fault', seen, mend: 'set one: `turnkeep serve` and `turnkeep worker` do not start without' };
}

async function lookAtProvider(check: string, options: ProviderOptions, model: string | undefined): Promise<readonly Finding[]> {
  const at = options.baseUrl ?? openAiBaseUrl;
  const startedAt = performance.now();
  const [listed, withoutKey] = await Promise.all([
    listOf(options),
    options.apiKey === undefined ? undefined : listOf({ ...options, apiKey: undefined }),
  ]);
  const tookMs = Math.round(performance.now() - startedAt);
  if (listed.type === 'failed') return [whyNot(check, at, listed.failure)];
  const { ids } = listed;
  const lists = `${at} lists ${ids.length} model${ids.length === 1 ? '' : 's'}, in ${tookMs} ms`;
  const key = { check, ...keyOf(options.apiKey, withoutKey) };
  const found: Finding = { ...key, seen: `${lists}; ${key.seen}` };
  if (model === undefined || ids.length === 0 || ids.includes(model)) return [found];
  const seen = `${at} does not list TURNKEEP_MODEL, ${JSON.stringify(model)}`;
  return [
    found,
    { check: `${check} model`, status: 'warning', seen, mend: 'name one of those that it lists: `GET /v1/models` of a gateway shows them' },
  ];
}

/** @param withoutKey what is listed for somebody who has no key */
function keyOf(apiKey: string | undefined, withoutKey: ModelList | undefined): Pick<Finding, 'status' | 'seen'> {
  if (apiKey === undefined) return { status: 'ok', seen: 'no key is set, and none was asked for' };
  if (withoutKey?.type === 'listed') return { status: 'unknown', seen: 'without a key as well: whether the key is right cannot be seen' };
  return { status: 'ok', seen: 'the key is accepted' };
}

function whyNot(check: string, at: string, failure: ModelFailure): Finding {
  const [status] = failure.detail?.split(' ') ?? [];
  if (status === '404' || status === '405' || status === '501') {
    return { check, status: 'unknown', seen: `${at} answers, and lists no models: whether the key is right cannot be seen for nothing` };
  }
  const isKey = status === '401' || status === '403';
  // The words of the others are about a turn, which was not asked for.
  const words = failure.code === 'transport_failed' ? 'it cannot be reached' : fullMessageOf(failure);
  const seen = `${at}/models: ${words}${failure.detail === undefined || words.includes(failure.detail) ? '' : ` (${failure.detail})`}`;
  return { check, status: 'fault', seen, mend: isKey ? 'the key is not accepted: set another' : (mends[failure.code] ?? mendAddress) };
}

const mendAddress =
  'see that the address is right, with its /v1 where it has one, and that this machine reaches it: OPENAI_BASE_URL, or `providers` of the configuration';

const mends: { readonly [code in ModelFailure['code']]?: string } = {
  provider_busy: 'wait, or raise the limits of the account: the provider asks for patience',
  model_timeout: 'see that this machine reaches it: a firewall or a proxy may swallow what it sends',
};

async function listOf(options: ProviderOptions): Promise<ModelList> {
  const provider = createProvider(options);
  try {
    return await listModels(provider, listWithinMs);
  } finally {
    await provider.close();
  }
}

/** The model providers of a process: the environment's, which is `default`, and those of the configuration. */
import type { AgentConfig, ProviderSettings } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import { createProvider } from '../providers/create-provider.ts';
import type { Provider, ProviderLimits } from '../providers/provider.ts';

type NamedProviders = Pick<AgentConfig, 'providers'>;

/**
 * The settings of the provider of this name. Pure: names alone come from requests, never an address.
 *
 * @throws when the configuration of this process has none of this name
 */
export function providerOf(
  { provider: name }: { readonly provider: string },
  environment: Config['provider'],
  { providers }: NamedProviders,
): ProviderSettings {
  const found = name === 'default' ? environment : providers.get(name);
  if (found === undefined) throw new Error(`this process's configuration has no provider ${JSON.stringify(name)}`);
  const { api, baseUrl, apiKey, reattach } = found;
  return {
    api,
    ...(reattach === true ? { reattach } : {}),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/** One `Provider` a name, with connections of its own; made when it is first asked for, all with the same limits. */
export class Providers {
  readonly #config: Pick<Config, 'provider'> & { readonly limits: ProviderLimits };
  readonly #named: NamedProviders;
  readonly #made = new Map<string, Provider>();
  readonly #watched: (provider: Provider, baseUrl: string | undefined) => Provider;

  /** @param watched what is to be used in place of each provider; itself where nothing is said */
  constructor(
    config: Pick<Config, 'provider'> & { readonly limits: ProviderLimits },
    named: NamedProviders,
    watched: (provider: Provider, baseUrl: string | undefined) => Provider = (provider) => provider,
  ) {
    this.#config = config;
    this.#named = named;
    this.#watched = watched;
  }

  /** @throws when the configuration of this process has none of this name */
  of(name: string): Provider {
    const made = this.#made.get(name);
    if (made !== undefined) return made;
    const { provider: environment, limits } = this.#config;
    const settings = providerOf({ provider: name }, environment, this.#named);
    const provider = this.#watched(createProvider({ ...settings, limits }), settings.baseUrl);
    this.#made.set(name, provider);
    return provider;
  }

  /** Closes idle connections, of all. */
  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map((provider) => provider.close()));
  }
}

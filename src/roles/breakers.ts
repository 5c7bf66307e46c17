/** The circuit breakers of a role: which turn asks which provider, and what the requests to it come to. */
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import { type ModelEvent, type ModelRequest, startsStep } from '../domain/model.ts';
import { askedModelOf } from '../domain/response/response-settings.ts';
import { type BreakerKeys, breakerKeysOf, isOfTenant } from '../domain/turn/breaker.ts';
import { openAiBaseUrl } from '../providers/openai/endpoint.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';
import { Breakers } from '../settle/breakers.ts';
import type { Asker, AskingStep, ProviderBreakers } from '../settle/claim-unless-away.ts';
import type { BreakerStore } from '../store/ports/breakers.ts';
import { isAway } from './availability.ts';

export interface RoleBreakers extends ProviderBreakers {
  /** How long new turns of this tenant and these settings are refused, since one that came now would not wait for its provider, in ms. */
  readonly refusedForMs: (asker: Asker) => number | undefined;
  /** A provider whose answers and failures are counted. */
  readonly watched: (provider: Provider, baseUrl: string | undefined) => Provider;
  stop(): void;
}

interface BreakerDeps {
  readonly config: Pick<Config, 'provider' | 'hasBreaker'>;
  readonly agents: Pick<AgentConfig, 'providers'>;
  readonly store: BreakerStore;
  readonly log: Logger;
}

/** undefined: the configuration wants none. They look at the database from now on. */
export function startBreakers({ config, agents, store, log }: BreakerDeps): RoleBreakers | undefined {
  if (!config.hasBreaker) return undefined;
  const breakers = new Breakers({
    store,
    onChange: (key, row) => {
      if (row === undefined) log.warn({ provider: key }, 'a model provider answers again');
      else
        log.warn(
          { provider: key, detail: row.detail },
          `a model provider fails for ${isOfTenant(key) ? 'one tenant' : 'everybody'}: its turns wait`,
        );
    },
    onError: (error) => {
      log[isAway(error) ? 'debug' : 'warn']({ err: error }, 'the circuit breakers could not be looked at; trying again');
    },
  });
  breakers.start();
  const keysOf = ({ tenant, settings }: Asker): BreakerKeys => {
    const name = settings.agent?.provider ?? 'default';
    const { baseUrl } = name === 'default' ? config.provider : (agents.providers.get(name) ?? {});
    return breakerKeysOf(baseUrl || openAiBaseUrl, askedModelOf(settings), tenant);
  };
  return {
    state: (asker) => breakers.state(keysOf(asker)),
    probe: (asking) => breakers.probe(keysOf(asking), stepOf(asking)),
    unanswered: (asking) => breakers.unanswered(keysOf(asking), stepOf(asking)),
    refusedForMs: (asker) => {
      const state = breakers.state(keysOf(asker));
      return state.type === 'open' && state.isLasting ? state.waitMs : undefined;
    },
    watched: (provider, baseUrl) => watched(breakers, provider, baseUrl || openAiBaseUrl),
    stop: () => {
      breakers.stop();
    },
  };
}

/** As `modelRequest` names it. */
function stepOf({ turn, step }: AskingStep): string {
  return `${turn} ${step}`;
}

function watched(breakers: Breakers, provider: Provider, baseUrl: string): Provider {
  const counted = (events: AsyncIterable<ModelEvent>, request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelEvent> => {
    const { settings, tenant, ids = crypto.randomUUID() } = request;
    // Of whom nobody knows whose it is.
    if (tenant === undefined) return events;
    const keys = breakerKeysOf(baseUrl, settings.model, tenant);
    return untilAnswered(events, {
      onAnswer: () => breakers.answered(keys),
      onError: (error) => {
        if (signal.aborted || !(error instanceof ProviderError)) breakers.unanswered(keys, ids);
        else breakers.failed(keys, ids, error.failure);
      },
    });
  };
  const { background } = provider;
  return {
    ...provider,
    stream: (request, signal, callbacks) => counted(provider.stream(request, signal, callbacks), request, signal),
    ...(background === undefined
      ? {}
      : {
          background: {
            ...background,
            start: (request, signal, callbacks) => counted(background.start(request, signal, callbacks), request, signal),
          },
        }),
  };
}

interface Hearing {
  readonly onAnswer: () => void;
  /** What came instead of an answer. */
  readonly onError: (error: unknown) => void;
}

/** The same events: nothing is between them and their reader once there was one that shows something. */
function untilAnswered(events: AsyncIterable<ModelEvent>, { onAnswer, onError }: Hearing): AsyncIterable<ModelEvent> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = events[Symbol.asyncIterator]();
      let isAnswered = false;
      const next = async (): Promise<IteratorResult<ModelEvent>> => {
        try {
          const result = await iterator.next();
          if (
            result.done !== true &&
            (result.value.type === 'finish' || (result.value.type === 'delta' && startsStep(result.value.delta)))
          ) {
            isAnswered = true;
            onAnswer();
          }
          return result;
        } catch (error) {
          onError(error);
          throw error;
        }
      };
      return {
        next: () => (isAnswered ? iterator.next() : next()),
        return: async (value?: unknown) => (await iterator.return?.(value)) ?? { done: true, value: undefined },
      };
    },
  };
}

/**
 * Stops answers at their provider that go on there and that nobody will read: those of workers that are lost, whose turn is ended
 * from outside. Best effort, by whoever ends the turn: a provider that cannot be reached goes on to the end of its answer.
 */
import type { Provider } from '../providers/provider.ts';
import type { Store } from '../store/ports/store.ts';

/** A store behind which the end of a turn stops the answers that are lost with it. It changes no result, and no call waits for it. */
export function withStops(store: Store, stop: (provider: string, response: string) => Promise<void>): Store {
  const stopAll = async (id: string, responses: readonly string[]): Promise<void> => {
    const turn = await store.readTurn(id);
    if (turn === undefined) return;
    const provider = turn.settings.agent?.provider ?? 'default';
    await Promise.all(responses.map((response) => stop(provider, response)));
  };
  return {
    ...store,
    async seal(seal) {
      const result = await store.seal(seal);
      if (result.type === 'sealed' && result.stops !== undefined) stopAll(seal.turn, result.stops).catch(() => undefined);
      return result;
    },
  };
}

/** @param providerOf throws where the configuration has none of this name */
export function stopAt(providerOf: (name: string) => Provider): (provider: string, response: string) => Promise<void> {
  return async (provider, response) => providerOf(provider).background?.cancel(response);
}

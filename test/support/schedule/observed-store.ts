/** A store that notes which steps start, and who writes though another one has been given the turn. */
import type { DeadHolder } from '../../../src/store/ports/journal.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import type { Happening } from './happening.ts';

export function observed(store: Store, happened: Happening[]): Store {
  /** By turn: the highest that anybody was given. */
  const epochs = new Map<string, number>();
  const given = (turn: string, epoch: number): void => void epochs.set(turn, Math.max(epoch, epochs.get(turn) ?? 0));

  /** Whoever was given a higher epoch before this was asked for has had it committed before. */
  async function written<T>(
    of: { readonly turn: string; readonly epoch: number },
    isWritten: (result: T) => boolean,
    write: () => Promise<T>,
  ) {
    const { turn: id, epoch } = of;
    const by = epochs.get(id) ?? 0;
    const result = await write();
    if (isWritten(result) && epoch < by) happened.push({ type: 'overtaken', id, epoch, by });
    return result;
  }
  const isTrue = (result: boolean): boolean => result;

  return {
    ...store,
    claim: async (request) => {
      const claim = await store.claim(request);
      if (claim.type === 'granted' || claim.type === 'tools') given(request.turn, claim.epoch);
      return claim;
    },
    fence: (async (turn: string, dead: DeadHolder | undefined) => {
      const fence = await store.fence(turn, dead);
      if (fence !== undefined) given(turn, fence.epoch);
      return fence;
    }) as Store['fence'],
    append: async (append) => {
      const isAccepted = await written(append, isTrue, () => store.append(append));
      if (isAccepted && append.starts !== undefined) happened.push({ type: 'started', id: append.turn, step: append.starts.step });
      return isAccepted;
    },
    seal: (seal) =>
      written(
        seal,
        ({ type }) => type === 'sealed',
        () => store.seal(seal),
      ),
    endStep: (step) =>
      written(
        step,
        (result) => result === 'ended',
        () => store.endStep(step),
      ),
    startToolCall: (start) => written(start, isTrue, () => store.startToolCall(start)),
    endToolCall: (end) => written(end, isTrue, () => store.endToolCall(end)),
  };
}

/** What a schedule leaves behind, for its checker. */
import type { Item } from '../../../src/domain/item.ts';
import type { Limits } from '../../../src/domain/agents/agent.ts';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';

/** Something that happened, in the order in which it did. */
export type Happening =
  | { readonly type: 'sent'; readonly turn: string; readonly step: number; readonly items: readonly Item[] }
  /** It is committed that the step has started; `id` is the turn's id in the database. */
  | { readonly type: 'started'; readonly id: string; readonly step: number }
  /** It is committed what was asked for with this epoch after a higher one had been given to somebody else. */
  | { readonly type: 'overtaken'; readonly id: string; readonly epoch: number; readonly by: number }
  /** `key`: the idempotency key, which begins with the id of the turn that runs the call. */
  | { readonly type: 'begun' | 'ended'; readonly call: string; readonly key: string; readonly tool: string };

/** A turn that was taken in. */
export interface PlayedTurn {
  readonly id: string;
  readonly limits: Limits | undefined;
  /** Somebody has asked for a cancel, whatever was answered. */
  isCancelAsked: boolean;
  /** A cancel was accepted. */
  isCancelAccepted: boolean;
  /** What its viewers have seen. */
  readonly views: JournalRow[][];
}

export interface Played {
  /** By name: what the user said. */
  readonly turns: ReadonlyMap<string, PlayedTurn>;
  readonly happened: readonly Happening[];
  readonly errors: readonly unknown[];
  /** Of Temporal's runs: how many were reset. */
  readonly resets: number;
}

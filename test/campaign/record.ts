/** The operation log of a campaign: everything that its clients, its model, its tools and its faults did and saw, one JSON line each. */
import { appendFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { clockMs } from '../../bench/support/clock.ts';
import type { FaultKind, Manner, ModelFault } from './plan.ts';

/** Times are `clockMs` of the campaign's own process, ms. */
export type Entry =
  /** A client is about to post a turn. `interrupts`: the turn that is to be cancelled for it. */
  | { readonly op: 'post'; readonly atMs: number; readonly turn: string; readonly session: string; readonly interrupts?: string }
  /** An answer has named the turn: it is accepted. */
  | { readonly op: 'accepted'; readonly atMs: number; readonly turn: string; readonly id: string }
  /** A post without a key has got no answer: it may still arrive, and be another turn. The protocol can do no better. */
  | { readonly op: 'unsure'; readonly atMs: number; readonly turn: string }
  /** A viewer's connection has ended. `rows`: the hashes of the events that it saw, joined; they begin behind event `after`. */
  | {
      readonly op: 'viewed';
      readonly atMs: number;
      readonly turn: string;
      readonly after: number;
      readonly rows: string;
      readonly isDone: boolean;
      /** When each step's first token was there. */
      readonly firstTokens: readonly { readonly step: number; readonly atMs: number }[];
    }
  /** The whole body of a blocking POST, its hash. */
  | { readonly op: 'answered'; readonly atMs: number; readonly turn: string; readonly body: string }
  | { readonly op: 'cancel'; readonly atMs: number; readonly turn: string }
  | { readonly op: 'cancelled'; readonly atMs: number; readonly turn: string; readonly answer: 'accepted' | 'late' | 'unknown' }
  /** Something that a client may never see, whatever is killed. */
  | { readonly op: 'client saw'; readonly atMs: number; readonly turn: string; readonly what: string }
  /** The model has got a request. `said`: the turns whose words are in it, the newest last. `malformed`: what no provider takes. */
  | {
      readonly op: 'request';
      readonly atMs: number;
      readonly turn: string;
      readonly step: number;
      readonly nth: number;
      readonly said: readonly string[];
      readonly malformed: readonly string[];
      readonly tokens: number;
    }
  /** A tool has noted this of a run of a call. */
  | {
      readonly op: 'tool';
      readonly word: 'begun' | 'ended';
      readonly tool: 'once' | 'again' | 'mail';
      readonly call: string;
      readonly key: string;
    }
  /** A fault is over; it counts when it was felt. */
  | {
      readonly op: 'fault';
      readonly atMs: number;
      readonly overAtMs: number;
      readonly kind: FaultKind | Manner | `model ${ModelFault}`;
      readonly on: string;
      readonly isFelt: boolean;
    }
  | { readonly op: 'process ended by itself'; readonly atMs: number; readonly process: string; readonly how: string }
  /** What is kept of a turn, when all is quiet. */
  | KeptTurn
  /** Whose words a conversation has, in its order. */
  | { readonly op: 'conversation'; readonly session: string; readonly said: readonly string[] }
  /** Runs of workflows that today's code has run again. `unseen`: they have no history, or it could not be had. */
  | { readonly op: 'replayed'; readonly same: number; readonly unseen: number; readonly diverged: readonly string[] }
  /** Requests that are still open at the model behind the end of every turn, by what the user said. */
  | { readonly op: 'open requests'; readonly turns: readonly string[] }
  /** A secret is where none may be. */
  | { readonly op: 'leak'; readonly place: string }
  /** The most that a process held, MB. */
  | { readonly op: 'memory'; readonly process: string; readonly mostMb: number }
  /** How long it took until every turn had its end, once nothing disturbed any more; `left`: those that have none. */
  | { readonly op: 'quiet'; readonly tookMs: number; readonly left: readonly string[] };

export interface KeptTurn {
  readonly op: 'kept';
  readonly turn: string;
  readonly id: string;
  readonly status: string;
  readonly code: string | null;
  /** When it was ready, and when it had its end, ms by the clock of the database. */
  readonly readyAtMs: number | null;
  readonly settledAtMs: number | null;
  /** The hashes of all events, joined. */
  readonly rows: string;
  /** Where an end stands among them. */
  readonly ends: readonly number[];
  readonly isDone: boolean;
  /** What is wrong with the numbers of the events. */
  readonly gaps: readonly string[];
  readonly text: string;
  readonly openItems: number;
  /** Of the response in the last event, its hash: what a blocking POST answers. */
  readonly body: string;
  readonly attempts: readonly {
    readonly step: number;
    readonly outcome: string;
    readonly hasStarted: boolean;
  }[];
}

type Draft<T> = T extends { readonly atMs: number } ? Omit<T, 'atMs'> & { readonly atMs?: number } : T;

export class OperationLog {
  /** All but the faults, which no law is held against: of these there are too many. */
  readonly entries: Entry[] = [];
  /** How often each kind of fault was felt. */
  readonly felt = new Map<string, number>();
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  countFelt(isMeant: (kind: string) => boolean): number {
    return [...this.felt].reduce((sum, [kind, times]) => sum + (isMeant(kind) ? times : 0), 0);
  }

  /** Booked now, unless it says when. */
  add(draft: Draft<Entry>): void {
    const entry = { atMs: clockMs(), ...draft } as Entry;
    if (entry.op !== 'fault') this.entries.push(entry);
    else if (entry.isFelt) this.felt.set(entry.kind, (this.felt.get(entry.kind) ?? 0) + 1);
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
  }
}

export const hashChars = 12;

/** Of one event's data, as it came. */
export function hashOf(data: string): string {
  return createHash('sha256').update(data).digest('hex').slice(0, hashChars);
}

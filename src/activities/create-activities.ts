/** The activities with what they need: the one place where they meet the database and the provider. */
import { ApplicationFailure } from '@temporalio/common';
import { type TurnActivities, wrongDatabase } from '../contract/activities.ts';
import { withoutForeignWords } from './history-failure.ts';
import { awaitTurn, beginTurn, type OwnTurnDeps, readResult } from './own-turns.ts';
import { settleTurn } from './settle-turn.ts';
import { streamModel, type StreamModelDeps } from './stream-model.ts';
import { deliverWebhook, type DeliverWebhookDeps } from './webhook/deliver-webhook.ts';
import { writeTitle, type WriteTitleDeps } from './write-title.ts';

export type ActivityDeps = StreamModelDeps &
  WriteTitleDeps &
  OwnTurnDeps &
  DeliverWebhookDeps & {
    /** Another deployment's turn was given to this worker. */
    readonly onForeignTurn?: () => void;
    /** An activity ended in an error that it did not foresee: only its class and code go into Temporal's history (T11). */
    readonly onError: (error: unknown) => void;
  };

/**
 * The activities of a turn, to register with a Temporal worker.
 *
 * @example
 *     import { createActivities, createProvider, openSqliteStore, RunningAttempts } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider: options } = readConfig({ env: process.env });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const provider = createProvider({ ...options, limits });
 *     const onReady = (turn: string): void => console.log(`${turn} is to be dispatched`);
 *     const onError = console.error;
 *     const attempts = new RunningAttempts({ store, provider, limits, onReady, onError });
 *     const activities = createActivities({ store, provider, attempts, onReady, onError });
 */
export function createActivities(deps: ActivityDeps): TurnActivities {
  const { onError } = deps;
  return {
    streamModel: (input) => withoutForeignWords(onError, async () => streamModel(deps, own(deps, input))),
    settleTurn: (input) => withoutForeignWords(onError, async () => settleTurn(deps, own(deps, input))),
    beginTurn: (input) => withoutForeignWords(onError, async () => beginTurn(deps, input)),
    awaitTurn: (input) => withoutForeignWords(onError, async () => awaitTurn(deps, own(deps, input))),
    readResult: (input) => withoutForeignWords(onError, async () => readResult(deps, own(deps, input))),
    writeTitle: (input) => withoutForeignWords(onError, async () => writeTitle(deps, own(deps, input))),
    deliverWebhook: (input) => withoutForeignWords(onError, async () => deliverWebhook(deps, own(deps, input))),
  };
}

/** @throws `ApplicationFailure` that may be retried: the next run of the activity may come to a worker of the turn's own database */
function own<Input extends { readonly database: string }>({ store, onForeignTurn }: ActivityDeps, input: Input): Input {
  if (input.database === store.databaseId) return input;
  onForeignTurn?.();
  throw ApplicationFailure.retryable('the task queue is shared with a worker of another database', wrongDatabase);
}

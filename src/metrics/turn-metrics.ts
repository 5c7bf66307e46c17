/** What is counted and timed of turns and of the requests to the model: each of them once, by the process that saw it. */
import { Counter, Histogram, type Registry } from 'prom-client';
import { type AttemptEnd, isLost } from '../domain/turn/attempt.ts';
import type { Seal } from '../store/ports/journal.ts';
import { ModelLabels } from './model-labels.ts';

const secondsToFirstToken = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300];
/** A turn may take an hour. */
const secondsOfTurns = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600];

/** A turn that has ended, in ms from its acceptance. */
export interface TurnTimes {
  readonly model: string;
  /** The turn's status. */
  readonly outcome: string;
  readonly durationMs: number;
  /** undefined: it has shown nothing. */
  readonly firstTokenMs: number | undefined;
}

export class TurnMetrics {
  readonly #models: ModelLabels;
  readonly #accepted: Counter;
  readonly #ended: Counter<'status' | 'code'>;
  readonly #attempts: Counter<'outcome' | 'code'>;
  readonly #retries: Counter<'reason'>;
  readonly #reattachments: Counter<'by'>;
  readonly #inputTokens: Counter<'model'>;
  readonly #outputTokens: Counter<'model'>;
  readonly #lostTokens: Counter<'model'>;
  readonly #dollars: Counter<'model'>;
  readonly #lostDollars: Counter<'model'>;
  readonly #duration: Histogram<'model' | 'outcome'>;
  readonly #firstToken: Histogram<'model' | 'outcome'>;

  constructor(registry: Registry, models: readonly string[]) {
    this.#models = new ModelLabels(models);
    const registers = [registry];
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
      new Counter({ name, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets: number[]): Histogram<'model' | 'outcome'> =>
      new Histogram({ name, help, labelNames: ['model', 'outcome'], buckets, registers });
    this.#accepted = counter('turnkeep_turns_accepted_total', 'Turns this process took in.');
    this.#ended = counter('turnkeep_turns_total', 'Turns this process gave their end, by status and error code.', 'status', 'code');
    this.#attempts = counter(
      'turnkeep_attempts_total',
      'Requests to the model that this process saw end, by outcome and error code.',
      'outcome',
      'code',
    );
    this.#retries = counter('turnkeep_retries_total', 'Requests to the model that are to be made again, by the reason.', 'reason');
    this.#reattachments = counter(
      'turnkeep_reattachments_total',
      'Answers that were read on where their stream broke: by the same attempt, or by another worker.',
      'by',
    );
    this.#inputTokens = counter('turnkeep_input_tokens_total', 'Tokens of prompts, as the provider counts them, of all requests.', 'model');
    this.#outputTokens = counter(
      'turnkeep_output_tokens_total',
      'Tokens of answers, as the provider counts them, of all requests.',
      'model',
    );
    this.#lostTokens = counter('turnkeep_lost_tokens_total', 'Those of both that requests cost which failed.', 'model');
    this.#dollars = counter('turnkeep_cost_dollars_total', 'US dollars that requests cost, by the prices of the configuration.', 'model');
    this.#lostDollars = counter('turnkeep_lost_cost_dollars_total', 'Those that requests cost which failed.', 'model');
    this.#duration = histogram('turnkeep_turn_duration_seconds', 'From the acceptance of a turn to its end.', secondsOfTurns);
    this.#firstToken = histogram(
      'turnkeep_first_token_seconds',
      'From the acceptance of a turn to the commit of the first event that shows anything, counted when the turn has ended.',
      secondsToFirstToken,
    );
  }

  accepted(): void {
    this.#accepted.inc();
  }

  /** A provider has begun to answer under this name: from now on it is a label. */
  answered(model: string): void {
    this.#models.add(model);
  }

  ended({ status, code }: Seal['settled']): void {
    this.#ended.inc({ status, code: code ?? '' });
  }

  /** @param model undefined: the turn is not known here */
  attemptEnded({ outcome, code, usage, spent, waitMs }: Omit<AttemptEnd, 'endedAtMs'>, model?: string): void {
    this.#attempts.inc({ outcome, code: code ?? '' });
    // Only a draining worker hands a request on that has failed in nothing.
    if (waitMs !== undefined) this.retried(code ?? 'worker_shutdown');
    const labels = { model: this.#models.labelOf(model) };
    const costUsd = spent?.costUsd ?? 0;
    if (costUsd > 0) this.#dollars.inc(labels, costUsd);
    if (costUsd > 0 && isLost({ outcome })) this.#lostDollars.inc(labels, costUsd);
    if (usage === undefined) return;
    this.#inputTokens.inc(labels, usage.input_tokens);
    this.#outputTokens.inc(labels, usage.output_tokens);
    if (isLost({ outcome })) this.#lostTokens.inc(labels, usage.total_tokens);
  }

  retried(reason: string): void {
    this.#retries.inc({ reason });
  }

  reattached(by: 'attempt' | 'worker'): void {
    this.#reattachments.inc({ by });
  }

  timed({ model, outcome, durationMs, firstTokenMs }: TurnTimes): void {
    const labels = { model: this.#models.labelOf(model), outcome };
    // The clock may have been set back meanwhile.
    this.#duration.observe(labels, Math.max(0, durationMs) / 1_000);
    if (firstTokenMs !== undefined) this.#firstToken.observe(labels, Math.max(0, firstTokenMs) / 1_000);
  }
}

/** What became of a tenant's turns, summed up: how they ended, how long the first token took, what retries saved, what was spent and lost. `GET /stats`, with keys in snake_case as in OpenAI's objects. Pure. */
import type { AttemptRow } from './attempt.ts';
import type { FailureCode } from '../failure.ts';
import type { ResponseStatus } from '../response/response.ts';

/** One turn, and the requests to the model that were made for it. */
export interface CountedTurn {
  readonly status: ResponseStatus;
  readonly errorCode: FailureCode | null;
  /** As the request named it: an agent, or a model. */
  readonly model: string | null;
  readonly createdAtMs: number;
  readonly attempts: readonly CountedAttempt[];
}

export type CountedAttempt = Pick<AttemptRow, 'attempt' | 'outcome' | 'firstEventAtMs' | 'usage' | 'spent'>;

/** Each name that a client has ever asked for may be one: those that cost most are told apart, the others are one line. */
const maxModels = 50;

interface Amount {
  requests: number;
  input_tokens: number;
  /** Of the input. */
  cached_tokens: number;
  output_tokens: number;
  /** Where the model has a price. */
  cost_usd: number;
}

interface OfModel {
  readonly model: string | null;
  turns: number;
  readonly spent: Amount;
  readonly lost: Amount;
}

/** Adds up turns, one after the other. What it holds grows by a number a turn, and by the names of their models. */
export class TurnTally {
  readonly #ends = new Map<string, { readonly status: ResponseStatus; readonly code: FailureCode | null; turns: number }>();
  readonly #models = new Map<string | null, OfModel>();
  readonly #firstTokenMs: number[] = [];
  #repeated = 0;
  #savedTurns = 0;
  /** Requests that failed, or whose worker died, and of which the provider counted nothing. */
  #uncounted = 0;

  add({ status, errorCode: code, model, createdAtMs, attempts }: CountedTurn): void {
    const end = `${status} ${code ?? ''}`;
    const { turns } = this.#ends.get(end) ?? { turns: 0 };
    this.#ends.set(end, { status, code, turns: turns + 1 });
    const shownAtMs = attempts.flatMap(({ firstEventAtMs }) => firstEventAtMs ?? []);
    // The clock may have been set back meanwhile.
    if (shownAtMs.length > 0) this.#firstTokenMs.push(Math.max(0, Math.min(...shownAtMs) - createdAtMs));
    const repeated = attempts.filter(({ attempt }) => attempt > 1).length;
    this.#repeated += repeated;
    if (repeated > 0 && status === 'completed') this.#savedTurns += 1;

    const ofModel = this.#models.get(model) ?? { model, turns: 0, spent: nothing(), lost: nothing() };
    this.#models.set(model, ofModel);
    ofModel.turns += 1;
    for (const attempt of attempts) {
      addRequest(ofModel.spent, attempt);
      if (attempt.outcome !== 'failed' && attempt.outcome !== 'lost') continue;
      addRequest(ofModel.lost, attempt);
      if (attempt.usage === undefined) this.#uncounted += 1;
    }
  }

  report(): object {
    const models = [...this.#models.values()].toSorted(byCost);
    const all = sumOfModels(models);
    const rest = models.slice(maxModels);
    return {
      turns: all.turns,
      ends: [...this.#ends.values()].toSorted((one, other) => other.turns - one.turns || (one.status < other.status ? -1 : 1)),
      first_token_ms: percentilesOf(this.#firstTokenMs),
      retries: { requests: this.#repeated, turns_saved: this.#savedTurns },
      spent: dollars(all.spent),
      lost: { ...dollars(all.lost), uncounted_requests: this.#uncounted },
      models: models.slice(0, maxModels).map(modelReport),
      ...(rest.length === 0 ? {} : { other_models: { names: rest.length, ...modelReport(sumOfModels(rest)) } }),
    };
  }
}

function nothing(): Amount {
  return { requests: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, cost_usd: 0 };
}

function addRequest(to: Amount, { usage, spent }: CountedAttempt): void {
  to.requests += 1;
  to.input_tokens += usage?.input_tokens ?? 0;
  to.cached_tokens += usage?.input_tokens_details.cached_tokens ?? 0;
  to.output_tokens += usage?.output_tokens ?? 0;
  to.cost_usd += spent?.costUsd ?? 0;
}

function sumOfModels(models: readonly OfModel[]): OfModel {
  const sum = { model: null, turns: 0, spent: nothing(), lost: nothing() };
  for (const { turns, spent, lost } of models) {
    sum.turns += turns;
    for (const name of Object.keys(spent) as (keyof Amount)[]) {
      sum.spent[name] += spent[name];
      sum.lost[name] += lost[name];
    }
  }
  return sum;
}

function byCost({ spent: one }: OfModel, { spent: other }: OfModel): number {
  return other.cost_usd - one.cost_usd || tokensOf(other) - tokensOf(one) || other.requests - one.requests;
}

function tokensOf({ input_tokens: input, output_tokens: output }: Amount): number {
  return input + output;
}

function modelReport({ model, turns, spent, lost }: OfModel): object {
  return { model, turns, spent: dollars(spent), lost: dollars(lost) };
}

/** Sums of dollars have digits that mean nothing. */
function dollars(amount: Amount): Amount {
  return { ...amount, cost_usd: Number(amount.cost_usd.toFixed(6)) };
}

/** From the acceptance of a turn to the commit of the first event that shows anything, of turns that have shown something. */
function percentilesOf(values: readonly number[]): object {
  // Of 100,000 numbers 6 ms, and of an array 20: the event loop stands still for it.
  const sorted = Float64Array.from(values).toSorted();
  const at = (share: number): number | null => sorted[Math.ceil(share * sorted.length) - 1] ?? null;
  return { turns: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

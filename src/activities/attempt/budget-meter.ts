/**
 * What a turn has left, while one of its steps runs: read before it, counted while its answer streams. What the provider counts
 * stands over what is estimated.
 */
import {
  type Budget,
  costOf,
  type Exceeded,
  exceededBefore,
  exceededBy,
  hasLimits,
  lastStepBy,
  type RequestSpent,
  type Spending,
  toolCallsLeft,
} from '../../domain/turn/budget.ts';
import type { ModelDelta, ModelRequest } from '../../domain/model.ts';
import { unknownUsage, type Usage } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted } from './abort-reason.ts';
import { estimatedTokens } from './model-request.ts';
import type { Tape } from './tape.ts';

const bytesPerToken = 4;
/** Node takes none that is longer. */
const longestTimeoutMs = 2_147_483_647;

export class BudgetMeter {
  readonly #budget: Budget | undefined;
  readonly #spending: Spending | undefined;
  #inputTokens = 0;
  /** Since the provider last counted. */
  #bytes = 0;
  #usage: Usage | undefined;
  #hasSaid = false;

  private constructor(budget: Budget | undefined, spending: Spending | undefined) {
    this.#budget = budget;
    this.#spending = spending;
  }

  /** As it stands before this step. @throws `AttemptAborted` once the signal aborts */
  static async read(
    store: Pick<Store, 'readSpending'>,
    { id, settings }: TurnRow,
    step: number,
    signal: AbortSignal,
    tape: Pick<Tape, 'spending'>,
  ): Promise<BudgetMeter> {
    const { budget } = settings;
    const spending = hasLimits(budget) ? await retryWhileBusy(() => store.readSpending(id, step), signal) : undefined;
    return new BudgetMeter(budget, tape.spending(spending));
  }

  /** @throws `AttemptAborted` where nothing is left for another request */
  assertLeft(): void {
    const exceeded = this.#ask(exceededBefore);
    if (exceeded !== undefined) throw new AttemptAborted('over_budget', exceeded);
  }

  /** What makes the step that runs the last one. */
  get lastStep(): Exceeded | undefined {
    return this.#ask(lastStepBy);
  }

  get toolCallsLeft(): number {
    return this.#ask(toolCallsLeft) ?? Number.POSITIVE_INFINITY;
  }

  /** What the answer has cost is only known once the provider has said what its prompt was: until then it is estimated. */
  async asks(request: ModelRequest): Promise<void> {
    if (this.#budget?.price !== undefined) this.#inputTokens = await estimatedTokens(request);
  }

  counted(usage: Usage): void {
    // A placeholder, as some servers send with each piece.
    if (usage.output_tokens === 0 && usage.input_tokens === 0) return;
    this.#usage = usage;
    this.#bytes = 0;
  }

  /** @returns the limit that the answer has passed with this */
  saw(delta: ModelDelta): Exceeded | undefined {
    this.#hasSaid = true;
    this.#bytes += Buffer.byteLength(delta.text);
    return this.exceeded;
  }

  /** The limit that the answer has passed. */
  get exceeded(): Exceeded | undefined {
    return this.#ask((budget, spending) => exceededBy(budget, spending, this.taken));
  }

  /** What the request has taken so far. */
  get taken(): RequestSpent {
    const said = Math.ceil(this.#bytes / bytesPerToken);
    const outputTokens = (this.#usage?.output_tokens ?? 0) + said;
    const price = this.#budget?.price;
    if (price === undefined) return { outputTokens, costUsd: 0 };
    const input = this.#usage ?? { ...unknownUsage, input_tokens: this.#hasSaid ? this.#inputTokens : 0 };
    return { outputTokens, costUsd: costOf({ ...input, output_tokens: outputTokens }, price) };
  }

  /** Ends the attempt when the time of its session is over; that of the turn is watched by whoever began it. */
  watchTime(abort: (reason: 'over_budget', exceeded: Exceeded) => void): NodeJS.Timeout | undefined {
    const value = this.#budget?.session.wallTimeMs;
    const spent = this.#spending?.session.wallTimeMs ?? 0;
    if (value === undefined) return undefined;
    const leftMs = Math.min(longestTimeoutMs, Math.max(0, value - spent));
    return setTimeout(() => {
      abort('over_budget', { of: 'session', limit: 'wallTimeMs', value, spent: value });
    }, leftMs);
  }

  #ask<T>(question: (budget: Budget, spending: Spending) => T): T | undefined {
    return this.#budget === undefined || this.#spending === undefined ? undefined : question(this.#budget, this.#spending);
  }
}

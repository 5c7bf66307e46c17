/** From the provider's events to the journal of a turn: what is shown, what is held back, and what is counted on the way. */
import { type ModelFinish, type ModelRequest, startsStep } from '../../domain/model.ts';
import type { Reread } from '../../domain/response/reread.ts';
import type { Provider, ProviderCallbacks } from '../../providers/provider.ts';
import type { Store } from '../../store/ports/store.ts';
import type { AttemptState } from './attempt-state.ts';
import type { BudgetMeter } from './budget-meter.ts';
import type { HeldCalls } from './held-calls.ts';
import { answerOf, assertCaughtUp } from './kept-answer.ts';
import { isPassedOn } from './pass-on.ts';
import type { AttemptInput } from './run-attempt.ts';
import { whileOurs } from './while-ours.ts';

interface Streaming {
  readonly store: Store;
  readonly provider: Provider;
  readonly request: ModelRequest;
  readonly held: HeldCalls | undefined;
  readonly meter: BudgetMeter;
  readonly input: AttemptInput;
  readonly reread: Reread | undefined;
  readonly lastSeq: () => number;
  readonly traceparent: string | undefined;
}

/** Streams the answer into the journal, up to the provider's own finish, without which no answer is whole (T8). */
export async function streamInto(
  attempt: AttemptState,
  { store, provider, request, held, meter, reread, lastSeq, traceparent, input: { claim, signal, steered, abort, isLeaseOver } }: Streaming,
): Promise<ModelFinish> {
  const { writer, tape } = attempt;
  await meter.asks(request);
  const callbacks: ProviderCallbacks = {
    ...whileOurs({ store, turn: claim.turn.id, epoch: attempt.epoch, signal, abort, isLeaseOver }),
    onPhase: (phase) => {
      // An answer that is read on is asked for again: the first time counts.
      if (phase === 'sent') attempt.reached.sentAtMs ??= Date.now();
      else attempt.reached.headersAtMs ??= Date.now();
    },
    wire: tape.wire,
    traceparent,
    now: () => tape.reading(Date.now()),
    onRequestId: (id) => {
      writer.providerRequestId = id;
    },
    onUsage: (usage) => {
      attempt.usage = usage;
      meter.counted(usage);
    },
  };
  const stream = answerOf(attempt, { provider, request, claim, signal, abort, callbacks, lastSeq });
  for await (const event of stream) {
    tape.event(event);
    if (event.type === 'delta') {
      // What a parser gives up is told out of its place: whoever reads the answer on tells it there.
      if (isPassedOn(attempt, signal)) signal.throwIfAborted();
      // Some servers state a finish with every chunk: it is one if no content follows.
      if (attempt.finish !== undefined && startsStep(event.delta)) delete attempt.finish;
      tape.taken();
      if (held?.takes(event.delta) === true) {
        held.add(event.delta);
        await writer.hold(event.delta);
      } else await writer.write(held?.whole(event.delta) ?? event.delta);
      if (reread?.isBehind === false && steered.aborted) writer.steer();
      const exceeded = meter.saw(event.delta);
      if (exceeded !== undefined) abort('over_budget', exceeded);
      // A delta that was not taken: what the provider says behind it proves nothing.
      signal.throwIfAborted();
      tape.written();
    } else if (event.type === 'finish') {
      attempt.finish = event.finish;
      attempt.reached.finishedAtMs = Date.now();
    } else if (event.type === 'service_tier') attempt.serviceTier = event.serviceTier;
    else {
      attempt.usage = event.usage;
      meter.counted(event.usage);
    }
  }
  if (reread?.isBehind === true) await assertCaughtUp(attempt, reread);
  if (attempt.finish === undefined) throw new Error('a provider ends its stream with a finish or throws');
  return attempt.finish;
}

/** The state of a turn before and after each event of its history, as the workflow code computed it. Pure. */
import type { TurnCommand, TurnResult, TurnState } from '../../domain/turn/turn-state.ts';
import type { TemporalEvent } from '../temporal-event-list.ts';
import type { Observation } from './observed-state.ts';

/** What the code did in the workflow task that an event began. */
export interface Computed {
  /** Ids of the events between which it was computed; the second one is null where the history ends before. */
  readonly between: readonly [number, number | null];
  /** What came of the last command; null: the code began. */
  readonly result: TurnResult | null;
  readonly state: TurnState;
  readonly command: TurnCommand | null;
}

export interface EventReport {
  readonly event: TemporalEvent;
  /** null: the code has not begun. */
  readonly before: TurnState | null;
  readonly after: TurnState | null;
  readonly computed: readonly Computed[];
}

/** @param observations of a run, in their order */
export function stateReports(events: readonly TemporalEvent[], observations: readonly Observation[]): readonly EventReport[] {
  let state: TurnState | null = null;
  return events.map((event, index) => {
    const before = state;
    const between = [event.id, events[index + 1]?.id ?? null] as const;
    const computed: Computed[] = [];
    for (const observation of observations) {
      if (observation.historyLength !== event.id) continue;
      if (observation.type === 'evolved') computed.push({ between, result: observation.result, state: observation.next, command: null });
      else {
        const last = computed.at(-1);
        if (last?.command === null) computed[computed.length - 1] = { ...last, command: observation.command };
        else computed.push({ between, result: null, state: observation.state, command: observation.command });
      }
    }
    state = computed.at(-1)?.state ?? state;
    return { event, before, after: state, computed };
  });
}

/** @returns lines for a terminal */
export function reportText(reports: readonly EventReport[]): string {
  const lines = reports.flatMap(({ event, before, after, computed }) => {
    const { id, type, activity, attempt, failure, signal } = event;
    const facts = [activity, attempt === undefined ? undefined : `attempt ${attempt}`, failure, signal];
    const name = [type, ...facts.filter((fact) => fact !== undefined)].join(', ');
    const begin = `${String(id).padStart(4)}  ${name}`;
    if (computed.length === 0) return [`${begin}${before === null ? '' : `  · ${stateText(before)}`}`];
    return [
      begin,
      `        before  ${before === null ? 'nothing: the code begins' : stateText(before)}`,
      ...computed.flatMap(({ between: [from, to], result, state, command }) => [
        ...(result === null ? [] : [`        result  ${resultText(result)}`]),
        `        state   ${stateText(state)}  (between the events ${from} and ${to ?? 'the end'})`,
        ...(command === null ? [] : [`        asks    ${commandText(command)}`]),
      ]),
      `        after   ${after === null ? 'nothing' : stateText(after)}`,
    ];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function stateText(state: TurnState): string {
  switch (state.phase) {
    case 'ready':
      return `ready for step ${state.step}, ${requests(state.requestsMade)} made`;
    case 'waiting':
      return `waiting ${state.waitMs} ms in step ${state.step}, ${requests(state.requestsMade)} made`;
    case 'ending':
      return `ending as ${outcomeText(state.requested)}`;
    case 'settled':
      return `settled as ${state.status}${state.code === null ? '' : `, ${state.code}`}`;
  }
}

function commandText(command: TurnCommand): string {
  switch (command.type) {
    case 'streamModel':
      return `streamModel for step ${command.step}, ${requests(command.requestsLeft)} left`;
    case 'wait':
      return `a timer of ${command.waitMs} ms`;
    case 'settleTurn':
      return `settleTurn as ${outcomeText(command.requested)}`;
    case 'close':
      return `nothing more: the workflow ends with ${command.status}${command.code === null ? '' : `, ${command.code}`}`;
  }
}

function resultText(result: TurnResult): string {
  switch (result.type) {
    case 'stepEnded':
      return result.step.type === 'final' ? `the step was the last: ${result.step.turn.status}` : 'the step ended with calls of tools';
    case 'settled':
      return `the turn is settled as ${result.settled.status}`;
    case 'busy':
      return `busy: ${result.failure.code} after ${requests(result.requestsMade)}`;
    case 'failed':
      return `failed: ${result.failure.code}`;
    case 'waited':
      return 'the timer fired';
    case 'lost':
      return 'the worker was lost';
    case 'cancelled':
      return 'cancelled';
  }
}

function outcomeText(requested: Extract<TurnState, { phase: 'ending' }>['requested']): string {
  return requested.status === 'failed' ? `failed, ${requested.failure.code}` : requested.status;
}

function requests(count: number): string {
  return count === 1 ? '1 request' : `${count} requests`;
}

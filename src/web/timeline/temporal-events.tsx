/** Temporal's own events of a turn: all of them, or those of the time of one part. */
import { type ReactNode, useState } from 'react';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useGateway } from '../api/client.tsx';
import { isSettled, type TurnReport } from '../api/types.ts';
import { between, duration } from '../shell/words.tsx';

interface TemporalEvent {
  readonly id: number;
  readonly type: string;
  readonly at: string;
  readonly activity?: string;
  readonly attempt?: number;
  readonly failure?: string;
  readonly signal?: string;
}

type Told = { readonly events: readonly TemporalEvent[]; readonly complete: boolean } | { readonly missing: string };

/** Its clock is another machine's. */
const skewMs = 50;

export function TemporalEvents({ turn }: { readonly turn: TurnReport }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Temporal’s events</summary>
      {isOpen ? <Events turn={turn} from={undefined} until={undefined} /> : null}
    </details>
  );
}

export interface EventsProps {
  readonly turn: TurnReport;
  /** Of the part; undefined: of the whole turn. */
  readonly from: string | undefined;
  readonly until: string | null | undefined;
}

export function Events({ turn, from, until }: EventsProps): ReactNode {
  const { data } = useTemporal(turn);
  if (data === undefined) return null;
  if ('missing' in data) return <p className="aside">{data.missing}.</p>;
  const [first, last] = [from === undefined ? -Infinity : Date.parse(from) - skewMs, until == null ? Infinity : Date.parse(until) + skewMs];
  const shown = data.events.filter(({ at }) => Date.parse(at) >= first && Date.parse(at) <= last);
  if (shown.length === 0) return <p className="aside">None in this time.</p>;
  return (
    <ol className="events">
      {shown.map((event) => (
        <li key={event.id} value={event.id}>
          {event.type} {event.activity === undefined ? null : <code>{event.activity}</code>}
          {[event.attempt === undefined ? '' : ` attempt ${event.attempt}`, event.signal, event.failure].filter(Boolean).join(', ')}{' '}
          <span className="aside">{duration(between(turn.created_at, event.at))}</span>
        </li>
      ))}
    </ol>
  );
}

function useTemporal(turn: TurnReport): UseQueryResult<Told> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['temporal', turn.id, turn.status],
    queryFn: async ({ signal }) =>
      ((await client.json('GET', `/turns/${encodeURIComponent(turn.id)}/timeline`, { signal })) as { readonly temporal: Told }).temporal,
    staleTime: isSettled(turn) ? 60_000 : 2_000,
  });
}

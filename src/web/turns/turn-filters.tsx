/** The filters of `turnkeep turns`, in the address, so that what is found can be linked to. */
import type { ReactNode } from 'react';
import type { TurnFilters } from '../api/queries.ts';
import { turnStatuses } from '../api/types.ts';
import { go, to } from '../shell/route.ts';
import { statusWords } from '../shell/words.tsx';

const names = ['status', 'code', 'session', 'agent', 'since', 'until'] as const;

export function filtersOf(query: URLSearchParams): TurnFilters {
  return Object.fromEntries(names.map((name) => [name, query.get(name) ?? undefined]));
}

const codes: readonly string[] = ['transport_failed', 'stream_interrupted', 'stream_truncated', 'worker_lost', 'provider_rejected']
  .concat('provider_busy', 'model_timeout', 'empty_response', 'provider_protocol', 'output_too_large', 'tool_failed')
  .concat('context_length_exceeded', 'turn_timeout', 'budget_exceeded', 'internal_error');

const sinceChoices: readonly (readonly [string, string])[] = [
  ['', 'any time'],
  ['1h', 'the last hour'],
  ['1d', 'the last day'],
  ['7d', 'the last week'],
  ['30d', 'the last 30 days'],
];

export interface TurnFilterFormProps {
  readonly place: 'turns' | 'figures';
  readonly filters: TurnFilters;
}

export function TurnFilterForm({ place, filters }: TurnFilterFormProps): ReactNode {
  const set = (name: (typeof names)[number], value: string): void => go(to([place], { ...filters, [name]: value }), { replaces: true });
  const isAny = names.some((name) => filters[name] !== undefined);
  return (
    <form className="filters" role="search" aria-label="Which turns" onSubmit={(event) => event.preventDefault()}>
      <Choice label="Status" value={filters.status} onChange={(value) => set('status', value)}>
        <option value="">any</option>
        {turnStatuses.map((status) => (
          <option key={status} value={status}>
            {statusWords[status]}
          </option>
        ))}
      </Choice>
      <Choice label="Code" value={filters.code} onChange={(value) => set('code', value)}>
        <option value="">any</option>
        {codes.map((code) => (
          <option key={code} value={code}>
            {code}
          </option>
        ))}
      </Choice>
      <Words label="Session" value={filters.session} onChange={(value) => set('session', value)} />
      <Words label="Model or agent" value={filters.agent} onChange={(value) => set('agent', value)} />
      <Choice label="Since" value={filters.since} onChange={(value) => set('since', value)}>
        {sinceChoices.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
        {filters.since === undefined || sinceChoices.some(([value]) => value === filters.since) ? null : (
          <option value={filters.since}>{filters.since}</option>
        )}
      </Choice>
      <label>
        Until
        <input type="date" value={filters.until ?? ''} onChange={(event) => set('until', event.target.value)} />
      </label>
      {isAny ? (
        <a className="button" href={to([place])}>
          Clear
        </a>
      ) : null}
    </form>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string) => void;
}

function Choice({ label, value = '', onChange, children }: FieldProps & { readonly children: ReactNode }): ReactNode {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {children}
      </select>
    </label>
  );
}

/** Half an id is none: it is asked for once it is whole, which only its author knows. */
function Words({ label, value = '', onChange }: FieldProps): ReactNode {
  const commit = (text: string): void => void (text.trim() === value || onChange(text.trim()));
  return (
    <label>
      {label}
      <input
        key={value}
        defaultValue={value}
        onBlur={(event) => commit(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && commit(event.currentTarget.value)}
      />
    </label>
  );
}

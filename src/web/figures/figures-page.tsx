/** How turns ended, how long their first token took, what retries saved, and what was spent and lost. */
import type { ReactNode } from 'react';
import { useStats } from '../api/queries.ts';
import type { TurnStats, TurnStatus } from '../api/types.ts';
import { to } from '../shell/route.ts';
import { count, dollars, duration, plural, statusWords } from '../shell/words.tsx';
import { filtersOf, TurnFilterForm } from '../turns/turn-filters.tsx';

export function FiguresPage({ query }: { readonly query: URLSearchParams }): ReactNode {
  const filters = filtersOf(query);
  const { data: stats, error } = useStats(filters);
  return (
    <main className="page" id="main" tabIndex={-1} data-focus="main">
      <div className="page-head">
        <h1>Figures</h1>
        <a className="button" href={to(['turns'], { ...filters })}>
          These turns
        </a>
      </div>
      <TurnFilterForm place="figures" filters={filters} />
      {error === null ? null : <p className="error">They cannot be read just now.</p>}
      {stats === undefined ? null : <Figures stats={stats} />}
    </main>
  );
}

function Figures({ stats }: { readonly stats: TurnStats }): ReactNode {
  const { turns, first_token_ms: first, retries, spent, lost, complete } = stats;
  return (
    <>
      {complete ? null : <p className="aside">There are more turns than are looked at: those of the time shown are all counted.</p>}
      <dl className="tiles">
        <Tile name="Turns" value={count(turns)} />
        <Tile name="First token, median" value={msWords(first.p50)} more={`of ${turnsWords(first.turns)}`} />
        <Tile name="90 % within" value={msWords(first.p90)} />
        <Tile name="99 % within" value={msWords(first.p99)} />
        <Tile name="Saved by retries" value={count(retries.turns_saved)} more={`${plural(retries.requests, 'request')} made again`} />
        <Tile
          name="Spent"
          value={dollars(spent.cost_usd)}
          more={`${count(spent.input_tokens)} tokens in, ${count(spent.output_tokens)} out`}
        />
        <Tile name="Of that lost" value={dollars(lost.cost_usd)} more={plural(lost.requests, 'request')} />
      </dl>
      <h2>How they ended</h2>
      <Bars
        label="Turns by how they ended"
        bars={stats.ends.map(({ status, code, turns: value }) => ({
          key: `${status} ${code ?? ''}`,
          name: code ?? statusWords[status],
          status,
          value,
          words: count(value),
          address: to(['turns'], { status, code: code ?? undefined }),
        }))}
      />
      <h2>What models and agents cost</h2>
      <Bars
        label="Tokens by model or agent"
        bars={stats.models.map(({ model, turns: of, spent: { input_tokens: input, output_tokens: output, cost_usd: cost } }) => ({
          key: model ?? '',
          name: model ?? 'not noted',
          status: 'completed',
          value: input + output,
          words: `${count(input + output)} tokens, ${dollars(cost)}, ${turnsWords(of)}`,
          address: to(['turns'], { agent: model ?? undefined }),
        }))}
      />
    </>
  );
}

function Tile({ name, value, more }: { readonly name: string; readonly value: string; readonly more?: string }): ReactNode {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd>
        {value}
        {more === undefined ? null : <span className="aside">{more}</span>}
      </dd>
    </div>
  );
}

interface BarOf {
  readonly key: string;
  readonly name: string;
  readonly status: TurnStatus;
  readonly value: number;
  readonly words: string;
  readonly address: string;
}

function Bars({ bars, label }: { readonly bars: readonly BarOf[]; readonly label: string }): ReactNode {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  if (bars.length === 0) return <p className="empty">None.</p>;
  return (
    <ul className="bars" aria-label={label}>
      {bars.map(({ key, name, status, value, words, address }) => (
        <li key={key}>
          <a href={address}>{name}</a>
          <span className="track" aria-hidden="true">
            <span className={`bar ${status}`} style={{ left: 0, width: `${(value / most) * 100}%` }} />
          </span>
          <span>{words}</span>
        </li>
      ))}
    </ul>
  );
}

const turnsWords = (turns: number): string => plural(turns, 'turn');

function msWords(ms: number | null): string {
  return ms === null ? '–' : duration(ms);
}

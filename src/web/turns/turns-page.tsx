/** The turns, newest first, in a table of which only what is seen is there. */
import { type ReactNode, useEffect, useMemo, useRef } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { describeFailure, CallError } from '../../http-client/call-error.ts';
import { useTurns } from '../api/queries.ts';
import type { ListedTurn } from '../api/types.ts';
import { to, toSession } from '../shell/route.ts';
import { between, count, duration, moment, StatusMark } from '../shell/words.tsx';
import { filtersOf, TurnFilterForm } from './turn-filters.tsx';

const columns = ['Turn', 'Accepted', 'Status', 'Model', 'Took', 'Requests', 'Tokens', 'Session'] as const;
const rowHeight = 40;

export function TurnsPage({ query }: { readonly query: URLSearchParams }): ReactNode {
  const filters = filtersOf(query);
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useTurns(filters);
  const turns = useMemo(() => data?.pages.flatMap((page) => page.data) ?? [], [data]);
  const scroll = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: turns.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => turns[index]?.id ?? index,
    overscan: 10,
  });
  const rows = list.getVirtualItems();
  const isAtEnd = (rows.at(-1)?.index ?? 0) >= turns.length - 20;
  useEffect(() => {
    if (isAtEnd && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [isAtEnd, hasNextPage, isFetchingNextPage, fetchNextPage, turns.length]);

  return (
    <main className="page turns" id="main" tabIndex={-1} data-focus="main">
      <div className="page-head">
        <h1>Turns</h1>
        <button type="button" className="plain" onClick={() => void refetch()}>
          Reload
        </button>
        <a className="button" href={to(['figures'], { ...filters })}>
          Figures of these
        </a>
      </div>
      <TurnFilterForm place="turns" filters={filters} />
      <p role="status" className={error === null ? 'aside' : 'error'}>
        {error !== null
          ? `They cannot be listed: ${error instanceof CallError ? describeFailure(error.failure) : error.message}`
          : isPending
            ? ''
            : turns.length === 0
              ? 'No such turns.'
              : `${count(turns.length)}${hasNextPage ? ' so far, more as you scroll' : ''}`}
      </p>
      <div className="scroll" ref={scroll} tabIndex={0} role="group" aria-label="Table of turns">
        <div role="table" aria-label="Turns" aria-rowcount={hasNextPage ? -1 : turns.length + 1} className="grid">
          <div role="row" className="grid-row grid-head" aria-rowindex={1}>
            {columns.map((name) => (
              <span key={name} role="columnheader">
                {name}
              </span>
            ))}
          </div>
          <div role="rowgroup" className="virtual" style={{ height: list.getTotalSize() }}>
            {rows.map(({ index, key, start }) => {
              const turn = turns[index];
              return turn === undefined ? null : <Row key={key} turn={turn} index={index} top={start} />;
            })}
          </div>
        </div>
      </div>
    </main>
  );
}

function Row({ turn, index, top }: { readonly turn: ListedTurn; readonly index: number; readonly top: number }): ReactNode {
  const { id, session, status, model, error, created_at: createdAt, settled_at: settledAt, requests, usage } = turn;
  return (
    <div role="row" aria-rowindex={index + 2} className="grid-row" style={{ transform: `translateY(${top}px)` }}>
      <span role="cell">
        <a href={to(['turns', id])}>{id}</a>
      </span>
      <span role="cell">{moment(createdAt)}</span>
      <span role="cell">
        <StatusMark status={status} code={error?.code} />
      </span>
      <span role="cell">{model ?? ''}</span>
      <span role="cell">{duration(between(createdAt, settledAt))}</span>
      <span role="cell">{count(requests)}</span>
      <span role="cell">{usage === null ? '' : count(usage.total_tokens)}</span>
      <span role="cell">{session === null ? '' : <a href={toSession(session, id)}>{session}</a>}</span>
    </div>
  );
}

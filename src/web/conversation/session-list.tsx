/** The sessions, the last used first: searched by their words, those that run marked. */
import { type ReactNode, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRunningTurns, useSessions } from '../api/queries.ts';
import type { Session } from '../api/types.ts';
import { to, toSession } from '../shell/route.ts';
import { ago, titleOf } from '../shell/words.tsx';

export function SessionList({ selected }: { readonly selected: string | undefined }): ReactNode {
  const [search, setSearch] = useState('');
  const words = useDeferredValue(search.trim().toLowerCase());
  const { data, dataUpdatedAt, isPending, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useSessions();
  const { data: running } = useRunningTurns();
  const active = useMemo(() => new Set(running?.map((turn) => turn.session)), [running]);
  const all = useMemo(() => data?.pages.flatMap((page) => page.data) ?? [], [data]);
  const found = useMemo(() => (words === '' ? all : all.filter((session) => isFound(session, words))), [all, words]);

  const scroll = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: found.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 56,
    getItemKey: (index) => found[index]?.id ?? index,
    overscan: 6,
  });
  const rows = list.getVirtualItems();
  const isAtEnd = (rows.at(-1)?.index ?? 0) >= found.length - 5;
  // A search goes through all of them, page by page.
  useEffect(() => {
    if ((isAtEnd || words !== '') && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [isAtEnd, words, hasNextPage, isFetchingNextPage, fetchNextPage, found.length]);

  return (
    <nav className="sessions" aria-label="Sessions">
      <div className="sessions-head">
        <input
          type="search"
          data-focus="search"
          placeholder="Search sessions"
          aria-label="Search sessions"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <a className="button" href={to(['s'])} aria-current={selected === undefined ? 'page' : undefined}>
          New
        </a>
      </div>
      <p role="status" className="aside sessions-state">
        {error !== null && all.length === 0
          ? 'The sessions cannot be read just now.'
          : words !== ''
            ? `${found.length} found${hasNextPage ? ', looking on' : ''}`
            : isPending || all.length > 0
              ? ''
              : 'No sessions yet.'}
      </p>
      <div className="scroll" ref={scroll} tabIndex={0} data-focus="sessions" role="group" aria-label="List of sessions">
        <ul className="virtual" style={{ height: list.getTotalSize() }}>
          {rows.map(({ index, start, key }) => {
            const session = found[index];
            return session === undefined ? null : (
              <li key={key} style={{ transform: `translateY(${start}px)` }}>
                <SessionLink
                  session={session}
                  nowMs={dataUpdatedAt}
                  isRunning={active.has(session.id)}
                  isSelected={session.id === selected}
                />
              </li>
            );
          })}
        </ul>
      </div>
    </nav>
  );
}

interface SessionLinkProps {
  readonly session: Session;
  readonly nowMs: number;
  readonly isRunning: boolean;
  readonly isSelected: boolean;
}

function SessionLink({ session, nowMs, isRunning, isSelected }: SessionLinkProps): ReactNode {
  return (
    <a className="session" href={toSession(session.id)} aria-current={isSelected ? 'page' : undefined}>
      <span className="title">{titleOf(session)}</span>
      <span className="aside">
        {isRunning ? (
          <span className="status in_progress">
            <span className="dot" aria-hidden="true" />
            running
          </span>
        ) : (
          ago(nowMs - (session.last_used_at ?? session.created_at) * 1_000)
        )}
      </span>
    </a>
  );
}

function isFound(session: Session, words: string): boolean {
  return [titleOf(session), session.preview ?? '', session.id].some((text) => text.toLowerCase().includes(words));
}
